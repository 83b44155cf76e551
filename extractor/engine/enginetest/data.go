package enginetest

import (
	"errors"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/stage"
)

// data is the events of a batch.
type data struct {
	labels stage.Labels
	rows   columns.Batch
}

// add adds what PI has of a stream, and counts it.
func (d *data) add(s *batch.Stream) int64 {
	stream := int32(len(d.labels.WebID))
	d.labels.WebID, d.labels.Name, d.labels.Units = append(d.labels.WebID, s.WebID), append(d.labels.Name, s.Name), append(d.labels.Units, "")
	all := eventsOf(s.After, s.Until)
	for _, at := range all {
		d.rows.Append(stream, int64(at), float64(at), 0, 0, columns.HasValue|columns.Good)
	}
	return int64(len(all))
}

// write writes the events to a folder; a batch without any has no file.
func (d *data) write(folder stage.Folder, h *batch.Header) error {
	if h.Events == 0 {
		return nil
	}
	d.labels.Ingested = h.Started
	w, err := folder.CreateWriter(0, d.labels)
	if err != nil {
		return err
	}
	err = errors.Join(w.Write(&d.rows), w.Close())
	h.Files = []batch.File{w.File()}
	return err
}
