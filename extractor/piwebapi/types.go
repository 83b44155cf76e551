package piwebapi

import (
	"context"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Sink takes what is read. Its methods are called from several goroutines.
type Sink interface {
	// Events hands over a batch; the sink owns it and passes it to Free when it is done.
	// An error ends the reading.
	Events(ctx context.Context, b *columns.Batch) error
	// Done is called once for each stream, after its last Events. Of streams[i] it is
	// called with i. err is what the outcome has as Error: a *Error, or a context's
	// error; nil when the stream was read to its end.
	Done(i int, o batch.Outcome, err error)
}

// DataServer is a PI Data Archive as the Web API lists it.
type DataServer struct {
	WebID       string
	Name        string
	IsConnected bool          // PI Web API reaches it; true where the server does not say
	source      string        // its lists of points have those of this source alone; "" = of every one
	ServerTime  instant.Ticks // the archive's own clock; 0 when the server does not say
	Date        instant.Ticks // the clock of the machine that answered, by its header Date; 0 when it has none
}

// Point is one PI point of a data server.
type Point struct {
	WebID, Name, Descriptor, PointType, DigitalSet, Units string
	ID                                                    int64
	Future                                                bool
}

// State is one state of a digital set.
type State struct {
	Name  string
	Value int32
}
