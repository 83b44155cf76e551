// Package sizing decides how many partitions a site and tier get, how many
// workers a partition needs, and how a site's request budget is divided. It is
// pure: numbers in, numbers out.
package sizing
