//go:build !cgo

package main

import "github.com/bundlegen/bundlegen/extractor/cli"

// engines are those that this build has: the static binary is the wheel's, and
// runs on Spark.
var engines = map[string]cli.OpenEngine{"spark": openSpark}
