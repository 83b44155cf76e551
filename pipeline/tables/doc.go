// Package tables is the contract of every table that the tasks write: its name,
// its columns in order, and what each column means. Engines make their DDL from
// it, the stage its Parquet schema, the docs their lists.
//
// Columns are only ever added to the right; none is renamed or removed.
package tables
