// Package commandline is what the programs' command lines have in common: help and
// version as commands and as flags, flags anywhere on the line, and errors of usage
// that name what is allowed and what was meant.
package commandline
