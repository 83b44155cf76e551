// Package decode turns PI Web API response bodies into columns: from bytes to
// column values, without a struct or an allocation an event. It reads a body as
// a stream through a buffer that it keeps; it knows nothing of the network.
package decode

import "github.com/bundlegen/bundlegen/pipeline/instant"

// Want is one stream that a call asked for, and what of it is wanted.
type Want struct {
	Index        int32 // goes into columns.Batch.Stream
	WebID, Name  string
	Numeric      bool // a quoted "NaN", "Infinity" or "-Infinity" is a number
	After, Until instant.Ticks
}

// Got is what a body held for the Want of the same position.
type Got struct {
	Present bool          // the body had this stream
	Items   int           // items in the body, dropped ones included
	Kept    int           // events appended to the batch
	First   instant.Ticks // of the first and of the last item, when Items > 0
	Last    instant.Ticks
	Full    bool  // Items reached maxCount: there may be more. Events at Last have been left out; the next page starts there.
	Err     error // an error that the body gives for this stream alone
}
