// Package localrun runs an emitted job on this machine: the same tasks with the same
// parameters in the same order as on Databricks, from nothing but the bundle's YAML.
// Run loads the bundle (load.go), runs its graph of tasks (scheduler.go) on an engine
// (lake.go), and shows the run as it goes (display.go) and at its end (summary.go).
//
// On DuckDB, tasks run in this process. On Delta, each is a process of the bundle's
// wheel (process.go) with a Spark of this machine (sparklake.go).
package localrun
