package decode

import "github.com/bundlegen/bundlegen/pipeline/instant"

// Want is one stream that a call asked for, and what of it is wanted.
type Want struct {
	Index        int32 // goes into columns.Batch.Stream
	WebID, Name  string
	Numeric      bool          // a quoted "NaN", "Infinity" or "-Infinity" is a number
	After, Until instant.Ticks // events at or before After, or later than Until, are dropped
}

// Got is what a body held for the Want of the same position.
type Got struct {
	Present bool          // the body had this stream
	Items   int           // items in the body, dropped ones included
	Kept    int           // events appended to the batch
	First   instant.Ticks // of the first and of the last item, when Items > 0
	Last    instant.Ticks
	// Full: Items reached maxCount, and Last is not beyond Until, so that there
	// may be more. Events at Last have been left out, since the page may end
	// amid those of one instant: the next page asks from Last on and wants what
	// is after Last-1. First = Last means that a whole page has one timestamp:
	// only a greater maxCount gets further.
	Full bool
	// Err is an error that the body gives for this stream alone, a
	// *WebException. None of its events is in the batch then.
	Err error
}
