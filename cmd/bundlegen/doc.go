// Command bundlegen turns a PI tag inventory into a load-balanced Databricks
// bundle, and deploys and runs it. bundlegen --help lists its commands and exit codes.
package main
