package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// SetAside reports that staged batches were not what their markers say: a file is
// missing, or was changed. Nothing of them was landed, their watermarks stay, and
// so their ranges are read again; the folders are kept where nobody takes them for
// batches. Whoever gets it alone may go on: all else was done.
type SetAside struct{ Batches []AsideBatch }

// AsideBatch is one batch of a SetAside.
type AsideBatch struct {
	Partition int
	Number    int64
	BatchID   string
	Folder    string       // where it is now
	Reason    string       // what is wrong with it
	Header    batch.Header // what its marker says; the zero value where it cannot be read
	Sealed    bool         // the marker is as it was sealed
}

func (e *SetAside) Error() string {
	var out []string
	for i := range e.Batches {
		out = append(out, e.Batches[i].String())
	}
	return strings.Join(out, "\n")
}

// String returns in one line what happened to the batch, and names its ranges.
func (b *AsideBatch) String() string {
	msg := fmt.Sprintf("partition %d: staged batch %d is not what was read (%s) and was set aside in %s; nothing of it was landed", b.Partition, b.Number, b.Reason, b.Folder)
	ranges := b.Ranges()
	switch {
	case len(ranges) == 0:
		return msg + ", and what is not landed of its tags is read again"
	case b.Sealed:
		return msg + ", and its ranges are read again:" + ranged(ranges)
	default:
		return msg + ", and what is not landed of its tags is read again; its marker says" + ranged(ranges)
	}
}

// Ranges returns what the batch had read, as its marker says.
func (b *AsideBatch) Ranges() (out []batch.Outcome) {
	for _, o := range b.Header.Outcomes {
		if o.To > o.From {
			out = append(out, o)
		}
	}
	return out
}

// mostRanges is how many ranges a message names.
const mostRanges = 5

// ranged names ranges of tags.
func ranged(ranges []batch.Outcome) (msg string) {
	for i, o := range ranges {
		if i == mostRanges {
			return msg + fmt.Sprintf(" and %d more", len(ranges)-i)
		}
		msg += fmt.Sprintf(" %q (%s, %s]", o.Name, o.From, o.To)
	}
	return msg
}

// PutAside sets a damaged folder aside. Its batch is decided nowhere. The error is
// a *SetAside once that is done.
func PutAside(d *stage.Damage) error {
	f := d.Folder
	at, err := f.SetAside()
	if err != nil {
		return fmt.Errorf("%w; it cannot be set aside: %w", d, err)
	}
	return &SetAside{[]AsideBatch{{Partition: f.Partition, Number: f.Number, BatchID: f.BatchID, Folder: at, Reason: d.Reason, Header: d.Header, Sealed: d.Sealed}}}
}

// Take adds what err has set aside. It reports whether nothing else was wrong.
func (e *SetAside) Take(err error) bool {
	more, ok := err.(*SetAside) // alone: not beside another error
	if ok {
		e.Batches = append(e.Batches, more.Batches...)
	}
	return ok || err == nil
}

// With returns e, if it has batches, together with err: e alone when err is nil.
func (e *SetAside) With(err error) error {
	switch {
	case len(e.Batches) == 0:
		return err
	case err == nil:
		return e
	default:
		return errors.Join(e, err)
	}
}

// TagErrors returns a row for each tag of the batches whose range is read again.
func (e *SetAside) TagErrors() (rows []TagError) {
	for i := range e.Batches {
		b := &e.Batches[i]
		if !b.Sealed {
			continue // whose tags and ranges they are is not known
		}
		for _, o := range b.Ranges() {
			rows = append(rows, TagError{RunID: b.Header.RunID, Partition: b.Partition, WebID: o.WebID, Name: o.Name, Site: b.Header.Site, PointID: o.PointID, Watermark: o.From,
				Error: fmt.Sprintf("the staged batch %s was damaged (%s) and set aside: (%s, %s] is read again", b.BatchID, b.Reason, o.From, o.To)})
		}
	}
	return rows
}
