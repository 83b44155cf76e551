// Package lakeview writes AI/BI dashboards in the format of .lvdash.json files.
// Databricks publishes no schema of it: versions, keys and values are those of
// files that its dashboards export, and only what those have is used here.
//
// A Dashboard has datasets, which are queries, and one canvas of widgets. Every
// widget shows the rows of one dataset as they are, without aggregating them
// again, so that what is on the screen is what the query says.
package lakeview
