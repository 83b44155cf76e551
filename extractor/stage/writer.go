package stage

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Labels are the constant columns of each stream, by the index in columns.Batch.Stream.
type Labels struct {
	WebID, Name, Units []string
	Site               string
	Pipeline           string
	BatchID            string
	Ingested           instant.Ticks
}

// Writer writes events to one Parquet file of a folder. It is not safe for
// concurrent use. Close makes the file durable; without it the file is useless, and its
// folder has no marker.
type Writer struct {
	file    *os.File
	digest  hash.Hash
	size    int64
	buf     *bufio.Writer
	parquet *file.Writer
	rows    rows // of the row group that is being filled
	encode  *encoder
	events  int64
	err     error // the first one: nothing is written after it
}

// CreateWriter creates file number n of the folder, which must exist; the file must not.
func (f Folder) CreateWriter(n int, labels Labels) (*Writer, error) {
	sch, err := fileSchema()
	if err != nil {
		return nil, err
	}
	encode, err := newEncoder(&labels)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(filepath.Join(f.Dir, fmt.Sprintf("data-%d.parquet", n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{file: out, digest: sha256.New(), encode: encode}
	w.buf = bufio.NewWriterSize(written{w}, 256<<10)
	// The Parquet writer closes its target if it can. It cannot close a buffer.
	if w.parquet, err = file.NewParquetWriterWithError(w.buf, sch, file.WithWriterProps(properties())); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return w, nil
}

// written is the file of a Writer, with the size and digest of what was written.
type written struct{ *Writer }

func (w written) Write(p []byte) (n int, err error) {
	n, err = w.file.Write(p)
	w.digest.Write(p[:n]) // it never fails
	w.size += int64(n)
	return n, err
}

// Events returns the number of events written.
func (w *Writer) Events() int64 { return w.events }

// File returns the file, for the folder's marker. It is valid once Close has succeeded.
func (w *Writer) File() batch.File {
	return batch.File{Name: filepath.Base(w.file.Name()), Size: w.size, SHA256: hex.EncodeToString(w.digest.Sum(nil))}
}

// Write adds the events of b. It does not keep b. After an error the file is lost and only
// Close may be called.
func (w *Writer) Write(b *columns.Batch) error {
	if w.err != nil {
		return w.err
	}
	for at := 0; at < b.Len(); {
		at += w.rows.add(b, at)
		if w.rows.full() {
			if w.err = w.flush(); w.err != nil {
				return w.err
			}
		}
	}
	w.rows.forget()
	w.events += int64(b.Len())
	return nil
}

// flush writes the row group.
func (w *Writer) flush() error {
	if w.rows.Len() == 0 {
		return nil
	}
	group, err := w.parquet.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	if err := w.encode.rowGroup(group, &w.rows); err != nil {
		return err
	}
	w.rows.reset()
	return group.Close()
}

// Close writes what is left and makes the file durable. It returns Write's error if there
// was one.
func (w *Writer) Close() error {
	if w.err == nil {
		w.err = w.finish()
	}
	return errors.Join(w.err, w.file.Close())
}

func (w *Writer) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.parquet.Close(); err != nil {
		return err
	}
	if err := w.buf.Flush(); err != nil {
		return err
	}
	return w.file.Sync()
}
