package decode

import "github.com/bundlegen/bundlegen/pipeline/instant"

// Result is what a body held of one stream of the call.
type Result struct {
	Present bool          // the body had this stream
	Items   int           // items in the body, dropped ones included
	Kept    int           // events appended to the batch
	First   instant.Ticks // of the first and of the last item, when Items > 0
	Last    instant.Ticks
	// Full: Items reached maxCount, and Last is not beyond Until, so that there
	// may be more. Events at Last are left out, since the page may end amid those of
	// one instant: the next page is asked for from Last on, with After = Last-1.
	// First = Last means that a whole page has one timestamp: only a greater maxCount
	// gets further.
	Full bool
	// Err is the body's error for this stream alone, a *WebException. None of its
	// events is in the batch then.
	Err error
}
