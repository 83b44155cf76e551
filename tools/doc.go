// Package tools pins the linters in a module of their own, so that what they
// need never decides what the programs are built with.
package tools
