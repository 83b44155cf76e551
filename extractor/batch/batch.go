package batch

import (
	"github.com/google/uuid"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Statuses of a batch and of an attempt of a task, as monitoring shows them.
const (
	Succeeded  = "SUCCEEDED"
	Partial    = "PARTIAL"     // at most fail_above of the partition's tags failed
	Failed     = "FAILED"      // more than that failed, or the task did not end
	Refused    = "REFUSED"     // the site refused the credentials: no attempt of this run signs in again
	CatchingUp = "CATCHING_UP" // a batch that another one follows in the same task
	Lagging    = "LAGGING"     // out of time: the next run goes on from here
)

// Tag is a tag as an extraction owns it, with its watermark.
type Tag struct {
	PointID       int64
	WebID, Name   string
	PointType     string
	Units         string
	EventsPerHour float64       // negative when unknown
	Watermark     instant.Ticks // landed up to and with this instant
}

// Bounds are where a watermark may be: from 1970 on, when PI's time begins, up to
// a day after this machine's clock, or to the instant that a person named. No
// batch and no pin writes another. What a server calls now may be wrong by
// centuries, and a watermark is never undone: events before it are not read again.
type Bounds struct{ First, Last instant.Ticks }

// BoundsAt returns the bounds at an instant. given is a person's --until; 0 when
// there is none.
func BoundsAt(now, given instant.Ticks) Bounds {
	return Bounds{Last: max(now+instant.Day, given)}
}

// Has reports whether an instant is within the bounds.
func (b Bounds) Has(t instant.Ticks) bool { return t >= b.First && t <= b.Last }

// Outside returns the tags whose watermarks are not within the bounds.
func (b Bounds) Outside(tags []Tag) (out []Tag) {
	for _, t := range tags {
		if !b.Has(t.Watermark) {
			out = append(out, t)
		}
	}
	return out
}

// Stream is one tag's range to read: what is later than After, up to and including
// Until. The server is asked from After itself, since servers round bounds; events
// at or before After or later than Until are dropped.
type Stream struct {
	Index         int32         `json:"-"` // its position among the streams that are read together, as in columns.Batch.Stream
	PointID       int64         `json:"-"`
	WebID         string        `json:"web_id"`
	Name          string        `json:"name"`
	Units         string        `json:"units,omitempty"`
	Numeric       bool          `json:"numeric,omitempty"` // a quoted "NaN", "Infinity" or "-Infinity" is a number then, not a text
	EventsPerHour float64       `json:"events_per_hour"`   // expected; negative when unknown
	After         instant.Ticks `json:"after"`
	Until         instant.Ticks `json:"until"`
}

// Streams returns what a batch up to until reads: at most maxWindow of each tag
// whose watermark is before until. No range overlaps one that was landed: each
// begins at the tag's watermark.
func Streams(tags []Tag, until, maxWindow instant.Ticks) []Stream {
	var out []Stream
	for i := range tags {
		t := &tags[i]
		if t.Watermark >= until {
			continue
		}
		s := Stream{PointID: t.PointID, WebID: t.WebID, Name: t.Name, Units: t.Units, Numeric: Numeric(t.PointType),
			EventsPerHour: t.EventsPerHour, After: t.Watermark, Until: until}
		if maxWindow > 0 {
			s.Until = min(until, s.After+maxWindow)
		}
		out = append(out, s)
	}
	return out
}

// Numeric reports whether the events of a point of that type are numbers.
func Numeric(pointType string) bool {
	switch pointType {
	case "Float16", "Float32", "Float64", "Int16", "Int32":
		return true
	}
	return false
}

// Outcome returns what became of the stream: it was read up to an instant, and no
// further because of the failure; "" when there was none.
func (s *Stream) Outcome(to instant.Ticks, events int64, failure string) Outcome {
	return Outcome{PointID: s.PointID, WebID: s.WebID, Name: s.Name, From: s.After, To: to, Events: events, Error: failure}
}

// Outcome is what became of one stream: every event in (From, To] was read, and
// none beyond. To is the stream's Until unless there is an Error, and From where
// nothing could be read.
type Outcome struct {
	PointID int64         `json:"point_id"`
	WebID   string        `json:"web_id"`
	Name    string        `json:"name"`
	From    instant.Ticks `json:"from"`
	To      instant.Ticks `json:"to"`
	Events  int64         `json:"events"`
	Error   string        `json:"error,omitempty"`
}

// Header is everything of a batch but its events: the content of the folder's
// marker, from which any later process can publish it.
type Header struct {
	Version   int           `json:"version"` // HeaderVersion; stage.Folder.Seal sets it
	Pipeline  string        `json:"pipeline"`
	Epoch     string        `json:"epoch"`
	RunID     string        `json:"run_id"`
	Attempt   int           `json:"attempt"`
	Tier      string        `json:"tier"`
	Site      string        `json:"site"`
	Partition int           `json:"partition_id"`
	Number    int64         `json:"number"`   // last + 1 of the snapshot that the ranges came from; never recomputed
	ID        string        `json:"batch_id"` // unique to the attempt
	Started   instant.Ticks `json:"started"`
	Ended     instant.Ticks `json:"ended"`
	Status    string        `json:"status"`
	Events    int64         `json:"events"`
	Requests  int64         `json:"requests"`
	Retries   int64         `json:"retries,omitempty"` // requests that were sent again
	Outcomes  []Outcome     `json:"outcomes"`

	// Given is the --until of the run, beyond which no watermark is; 0 when it had none.
	Given instant.Ticks `json:"given,omitempty"`

	// Unresolved counts the partition's tags that are not on their server; they are not
	// in Outcomes.
	Unresolved int `json:"unresolved,omitempty"`

	Files []File `json:"files"` // the data, as their writers answered; in order of name
}

// HeaderVersion is the version of Header that this program writes. It reads
// older ones: 0 has no list of files, 1 has no digests.
const HeaderVersion = 2

// Digested reports whether the header's files have digests.
func (h *Header) Digested() bool { return h.Version >= 2 }

// File is a data file of a folder.
type File struct {
	Name   string `json:"name"`             // relative to the folder, with slashes
	Size   int64  `json:"size"`             // bytes
	SHA256 string `json:"sha256,omitempty"` // of all bytes, in hex
}

// NewID makes a batch_id.
func NewID() string { return uuid.NewString() }

// Bounded reports whether the batch leaves every watermark within bounds. One of an
// older version may not: it is not published, and its ranges are read again.
func (h *Header) Bounded() bool {
	bounds := BoundsAt(h.Started, h.Given)
	for i := range h.Outcomes {
		if o := &h.Outcomes[i]; o.To > o.From && !(bounds.Has(o.From) && bounds.Has(o.To)) {
			return false
		}
	}
	return true
}

// Failures counts the outcomes with an error.
func (h *Header) Failures() int {
	n := 0
	for i := range h.Outcomes {
		if h.Outcomes[i].Error != "" {
			n++
		}
	}
	return n
}
