// Package cli is the command line of pi-extractor: the parameters of a task, as the
// emitted job passes them, and the program's own flags, --engine and --data.
package cli
