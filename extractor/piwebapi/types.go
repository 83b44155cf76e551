package piwebapi

import (
	"context"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Sink takes what is read. Its methods are called from several goroutines.
type Sink interface {
	// Events hands over a batch: the sink owns it and passes it to Client.Free when
	// done. An error ends the reading.
	Events(ctx context.Context, b *columns.Batch) error
	// Done is called once for each stream, by its index, after its last Events. err
	// is nil if the stream was read to its end, else a *Error or a context's error;
	// its text is the outcome's Error.
	Done(i int, o batch.Outcome, err error)
}

// DataServer is a PI Data Archive as the Web API lists it.
type DataServer struct {
	WebID       string
	Name        string
	IsConnected bool          // to PI Web API; true if the server does not report it
	source      string        // only points of this source are listed; "" = all
	ServerTime  instant.Ticks // the archive's own clock; 0 if the server does not report it
	Date        instant.Ticks // the web server's clock, from the header Date; 0 if there is none
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
