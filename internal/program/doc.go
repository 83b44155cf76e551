// Package program is what every program of ours has around its work: signals
// that end it, and an end that is no success when its results could not be written.
package program
