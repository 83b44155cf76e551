// Package simulator is a PI Web API server for tests, benchmarks and demos.
//
// Its archive is a pure function of (seed, tag, time): nothing is stored, a range is
// generated when it is read, in time proportional to its events, and a million tags
// cost nothing until they are read. An Oracle returns the same events in process, in
// the terms of the table they should end up in, so that a test can compare a whole
// table with what the server held.
//
// A point (PI's word for a tag) has an index, its place in the archive, for life;
// its point id is index+1. A Quirk is a way in which real servers differ from each
// other or from what one would expect; each is a named switch. A fault is something
// that goes wrong at run time, switched by a test.
//
// The server is strict: it refuses what a real one refuses. What it cannot do though
// a real one could (filter expressions, other boundary types) it refuses with 501
// instead of a wrong answer.
package simulator
