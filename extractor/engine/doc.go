// Package engine is where the tables live, and the promises of landing.
//
// An Engine is bound to one pipeline. It keeps these promises, whatever dies
// when, and the conformance suite (enginetest) holds every engine to them:
//
//   - A number of a partition's batches is taken when the batch is decided, and once.
//   - What a decided batch holds is in bronze exactly once, sooner or later; no
//     other event is.
//   - A watermark never goes back, and never passes an event that is not in a
//     whole folder or in bronze.
//   - Every watermark that is written lies within batch.Bounds: the tasks see to
//     that where they make ranges and pins, and stop where they find another.
//   - Every method may be called again after any error or crash; a second call
//     after a success changes nothing.
//
// All methods are safe for concurrent use by the tasks of one run.
package engine
