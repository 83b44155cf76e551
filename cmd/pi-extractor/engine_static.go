//go:build !cgo

package main

import "github.com/bundlegen/bundlegen/extractor/cli"

// engines are those that this build has: none yet in the static binary, whose
// engine is Spark's.
var engines = map[string]cli.OpenEngine{}
