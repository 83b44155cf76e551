// Package batch holds the nouns of landing and the arithmetic of its ranges.
//
// A batch is one extraction of one partition up to an instant. It has a number,
// taken once when the batch is decided, and a batch_id that is unique to the
// attempt. Its outcome for each tag is the range that was read, or why there is
// none. The protocol that lands every event exactly once is in package engine,
// which states what each step guarantees.
package batch
