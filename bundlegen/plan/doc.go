// Package plan is the plan: a value that holds which tags go to which partition,
// on what compute, how long that takes and what it costs. Build makes it, Diff
// compares it with the earlier bundle; nothing here does I/O but reading
// a previous bundle's manifests.
package plan
