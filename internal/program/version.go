package program

import "runtime/debug"

// version is set when the programs are built by make.
var version string

// Version returns the version of the programs: the one that they were built as, else
// the module's, as `go install MODULE@VERSION` has recorded it.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.0.0-dev"
}
