package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/text"
)

// PlanFile is the name of the file that holds the plan a bundle was made from.
const PlanFile = "plan.json"

// Record is the content of plan.json: the plan, and what was written for it, so
// that an edit by hand can be told from a changed configuration.
type Record struct {
	plan.Plan
	Files  map[string]string `json:"files"`  // path -> SHA-256 of every other file, in hexadecimal
	Digest string            `json:"digest"` // SHA-256 of plan.json itself, with an empty digest
}

// errRecord says that plan.json is there but is not as bundlegen wrote it.
var errRecord = errors.New("not as bundlegen wrote it")

// recordFile renders plan.json for a plan and the bundle's other files.
func recordFile(p *plan.Plan, files []File) (File, error) {
	r := Record{Plan: *p, Files: make(map[string]string, len(files))}
	for _, f := range files {
		r.Files[f.Path] = hash(f.Data)
	}
	data, err := text.Indented(r)
	if err != nil {
		return File{}, err
	}
	digest := hash(data)
	i := bytes.LastIndex(data, emptyDigest)
	data = bytes.Join([][]byte{data[:i], digestField(digest), data[i+len(emptyDigest):]}, nil)
	return File{Path: PlanFile, Data: data}, nil
}

var emptyDigest = digestField("")

func digestField(digest string) []byte { return fmt.Appendf(nil, `"digest": %q`, digest) }

// ReadRecord reads the plan.json of the bundle in dir. The error is an
// fs.ErrNotExist where there is none.
func ReadRecord(dir string) (*Record, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read: closing cannot lose anything
	r, err := readRecord(root)
	if errors.Is(err, errRecord) {
		return nil, diag.WithHint(fmt.Errorf("%s: %w", filepath.Join(dir, PlanFile), err), "`bundlegen generate` writes it anew")
	}
	return r, err
}

func readRecord(root *os.Root) (*Record, error) {
	data, err := regular.ReadIn(root, PlanFile, maxFile)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	field := digestField(r.Digest)
	i := bytes.LastIndex(data, field)
	if i < 0 || hash(bytes.Join([][]byte{data[:i], emptyDigest, data[i+len(field):]}, nil)) != r.Digest {
		return nil, errRecord
	}
	return &r, nil
}
