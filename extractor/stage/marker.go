package stage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// The marker is one JSON object. Its last field is the digest of every byte
// before that field, so that no byte of it can change unnoticed.
const (
	digestField = `,"digest":"`
	digestEnd   = `"}`
	digestSize  = len(digestField) + 2*sha256.Size + len(digestEnd)
)

// encodeMarker returns the marker's bytes.
func encodeMarker(h *batch.Header) ([]byte, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	body := data[:len(data)-len("}")]
	return append(body, digestField+digestOf(body)+digestEnd...), nil
}

// intact reports whether a marker is unchanged. signed is false if it has no digest of
// itself.
func intact(data []byte) (intact, signed bool) {
	at := len(data) - digestSize
	if at < 0 || !bytes.HasPrefix(data[at:], []byte(digestField)) || !bytes.HasSuffix(data, []byte(digestEnd)) {
		return false, false
	}
	return string(data[at+len(digestField):len(data)-len(digestEnd)]) == digestOf(data[:at]), true
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Header reads the folder's marker. whole is false, without an error, if there is none,
// or if it was not written to its end. The error is a *Damage if the marker was changed,
// or is another folder's; a marker of a newer program is another error.
func (f Folder) Header() (h batch.Header, whole bool, err error) {
	path := filepath.Join(f.Dir, markerName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	var cut *json.SyntaxError
	if err := json.Unmarshal(data, &h); err != nil {
		if errors.As(err, &cut) && cut.Offset >= int64(len(data)) {
			return batch.Header{}, false, nil // part of a JSON object never parses
		}
		return batch.Header{}, false, &Damage{Folder: f, Reason: fmt.Sprintf("%s cannot be read: %v", markerName, err)}
	}
	right, signed := intact(data)
	switch {
	case signed && !right, !signed && h.Digested() && h.Version <= batch.HeaderVersion:
		return h, false, &Damage{Folder: f, Header: h, Reason: markerName + " was changed after it was written"}
	case h.Version > batch.HeaderVersion:
		return h, false, diag.WithHint(fmt.Errorf("%s: version %d is newer than this program, which knows %d", path, h.Version,
			batch.HeaderVersion),
			"a newer bundle ran on these tables: deploy that one again, and it publishes this batch")
	}
	if own := New("", h.Pipeline, h.Partition, h.Number, h.ID).Dir; !strings.HasSuffix(f.Dir, string(filepath.Separator)+own) {
		return h, false, &Damage{Folder: f, Header: h,
			Reason: fmt.Sprintf("%s is of another folder, %s: a staging folder is never renamed or copied", markerName, own)}
	}
	return h, true, nil
}

// Seal makes the folder whole. h.Files are the data files as their writers report them
// (Writer.File, Spark). They are compared with the folder's listing: if the two differ,
// the marker is not written. Seal adds digests that a writer does not know. Every data
// file must be closed and synced (by Writer.Close, and by Spark when its job ends): the
// marker must not be durable before them.
func (f Folder) Seal(h *batch.Header) error {
	h.Version = batch.HeaderVersion
	if err := f.Check(h); err != nil {
		return err
	}
	if err := f.addDigests(h.Files); err != nil {
		return err
	}
	data, err := encodeMarker(h)
	if err != nil {
		return err
	}
	path := filepath.Join(f.Dir, markerName)
	if err := writeSynced(path+".tmp", data); err != nil {
		return err
	}
	// The names of the data files first, then the marker's, then the folder's own.
	if err := syncDir(f.Dir); err != nil {
		return err
	}
	err = os.Rename(path+".tmp", path)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOSYS) {
		// A Databricks volume has no rename. An incomplete marker does not parse, so it
		// may be written in place.
		err = writeSynced(path, data)
	}
	if err != nil {
		return err
	}
	for _, d := range []string{f.Dir, filepath.Dir(f.Dir), filepath.Dir(filepath.Dir(f.Dir))} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}
