package doctor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/text"
)

// RecordFile is the file beside pipeline.yml that keeps how the last doctor ended.
const RecordFile = "doctor.json"

// RecordVersion is the version of the file. It only grows.
const RecordVersion = 1

// maxRecord is the size of the largest file that is read, in bytes.
const maxRecord = 64 << 10

// Record is how doctor ended last, and when it was green. It holds no secret.
type Record struct {
	Version int    `json:"version"`
	Last    Visit  `json:"last"`
	Green   *Visit `json:"green,omitempty"` // the last that was; nil = none ever was
}

// Visit is one doctor of all sites.
type Visit struct {
	At     time.Time `json:"at"`
	Failed int       `json:"failed"` // checks
	Warned int       `json:"warned"`
	Digest string    `json:"digest"` // of the sites and the compute that pipeline.yml had: see Digest
}

// Digest identifies what a doctor's findings depend on: the sites and the compute of
// pipeline.yml, which name secrets and hold none.
func Digest(p *config.Pipeline) (string, error) {
	data, err := json.Marshal(struct {
		Sites   []config.Site
		Compute config.Compute
	}{p.Sites, p.Compute})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Note returns the record after one more visit.
func (r Record) Note(v Visit) Record {
	next := Record{Version: RecordVersion, Last: v, Green: r.Green}
	if v.Failed == 0 {
		next.Green = &v
	}
	return next
}

// Encode returns the file's bytes.
func (r Record) Encode() ([]byte, error) { return text.Indented(r) }

// ReadRecord reads the file. The error is an fs.ErrNotExist where there is none.
func ReadRecord(path string) (r Record, err error) {
	data, err := regular.Read(path, maxRecord)
	if err != nil {
		return r, err
	}
	if err = json.Unmarshal(data, &r); err == nil && r.Version != RecordVersion {
		err = fmt.Errorf("version %d; allowed: %d, which this program reads", r.Version, RecordVersion)
	}
	if err != nil {
		return Record{}, diag.WithHint(fmt.Errorf("%s: %w", path, err), "delete it; bundlegen doctor writes it again")
	}
	return r, nil
}
