// Package localspark installs and runs Spark on this machine: open Spark and Delta
// Lake in the versions of Databricks Runtime 17 LTS, pinned and cached, a Spark
// Connect server with real executor processes, and virtual environments that run
// wheels as a cluster would. Local runs and tests use it. It knows nothing of
// pipelines.
package localspark
