//go:build !cgo

package main

import "github.com/bundlegen/bundlegen/extractor/cli"

// engines are the engines of this build: the static binary is that of the wheel, and
// runs on Spark.
var engines = map[string]cli.OpenEngine{"spark": openSpark}
