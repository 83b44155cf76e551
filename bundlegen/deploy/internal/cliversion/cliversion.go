// Package cliversion tells the databricks CLI that is linked in which version
// it is.
//
// The CLI's release build injects its version with a linker flag. Without it
// the CLI calls itself a development build, and a bundle that asks for a
// released CLI (databricks_cli_version) then gets a warning, which
// `validate --strict` refuses. Setting the same variable from here spares every
// `go build`, `go test` and `go install` that flag.
//
// This package imports nothing, so it is initialized before the CLI's packages,
// which read the variable while they are initialized (the order is by import
// path among the packages that are ready).
package cliversion

import _ "unsafe" // for go:linkname

// Version is the version of github.com/databricks/cli in go.mod. A test of
// package deploy keeps the two equal.
const Version = "1.12.1"

//go:linkname buildVersion github.com/databricks/cli/internal/build.buildVersion
var buildVersion string

func init() { buildVersion = Version }
