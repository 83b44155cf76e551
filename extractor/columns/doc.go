// Package columns holds events column by column, in memory that is reused.
package columns
