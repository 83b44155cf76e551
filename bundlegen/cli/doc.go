// Package cli is the command line of bundlegen: it reads flags, calls what does
// the work, and turns outcomes into exit codes. Results go to stdout, all else
// to stderr.
package cli
