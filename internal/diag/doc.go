// Package diag has the problems that a user reads: where something is wrong, what
// it is, what is allowed, and a hint on what to do. It is the only package that
// knows how they are written down:
//
//	file:line:column: text; allowed: values
//	hint: what to do
//
// An error carries its hint as a value (WithHint), not as a part of its text, so
// that Problems finds it again however often the error was wrapped.
package diag
