// Package enginetest holds every engine to the promises of landing: one suite,
// without PI, for DuckDB and for Spark.
//
// Run runs it on a Subject, which is a lake and how its engines are had. The map
// from the protocol's sentences to the cases is Sentences. What must be true at
// every moment, whatever case it is, is in history.go: each case, and each step
// of each schedule, ends in a snapshot of all tables that is held against it.
//
// Cases are of four kinds:
//
//   - plain ones, which say what a method does;
//   - deaths (crashes.go): a process dies before its first durable step, then
//     another before its second, and so on, each time followed by what comes after
//     a crash, until one comes through;
//   - interleavings (interleaved.go, schedule.go): several processes, of which one
//     at a time goes on to its next step or dies there, under as many schedules as
//     the Subject has time for, those with the fewest switches first;
//   - one in which processes are really at work at the same time.
//
// Caught runs one case against an engine that breaks a promise on purpose, and
// fails unless the case does.
package enginetest
