package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/text"
)

// Kind is how a folder differs from a bundle in one file.
type Kind string

// The kinds of differences.
const (
	Changed Kind = "changed" // the file has another content
	Missing Kind = "missing" // the file is not there
	Extra   Kind = "extra"   // the file is there and does not belong to the bundle
)

// Difference is one file in which a folder differs from a bundle.
type Difference struct {
	Path string // relative to the bundle's root, with slashes
	Kind Kind

	have []byte // in the folder; nil when Missing
	want []byte // of the bundle; nil when Extra, or not known (HandEdited)
}

// String gives the difference as one line: the path, and what is with it.
func (d Difference) String() string { return fmt.Sprintf("%s (%s)", text.Line(d.Path), d.Kind) }

// maxDiff is how large a file may be to be shown as a diff.
const maxDiff = 4 << 20

// Unified gives the difference as a unified diff from what the folder has to what
// the bundle says: what generate would do. It is "" where the bundle's own
// content is not known.
func (d Difference) Unified() string {
	return d.diff("a/"+d.Path, d.have, "b/"+d.Path, d.want)
}

// UnifiedByHand gives the same difference the other way round: what was done to
// the folder since the bundle was written.
func (d Difference) UnifiedByHand() string {
	return d.diff("generated/"+d.Path, d.want, "edited/"+d.Path, d.have)
}

func (d Difference) diff(oldName string, old []byte, newName string, new []byte) string {
	if d.Kind != Extra && d.want == nil {
		return ""
	}
	if len(old) > maxDiff || len(new) > maxDiff {
		return fmt.Sprintf("--- %s\n+++ %s\n(%d and %d bytes: too large to show)\n", oldName, newName, len(old), len(new))
	}
	return udiff.Unified(oldName, newName, string(old), string(new))
}

// Compare tells in which files the folder dir differs from the tree, sorted by
// path. dist/, .databricks/ and files that no bundle owns are left aside. A
// folder that is not there lacks every file. A link that leads out of the folder
// is not followed: it is an error.
func (t *Tree) Compare(dir string) ([]Difference, error) {
	root, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	var all []Difference
	if root == nil {
		for _, f := range t.files {
			all = append(all, Difference{Path: f.Path, Kind: Missing, want: f.Data})
		}
		return all, nil
	}
	defer root.Close() // only read: closing cannot lose anything
	owned := make(map[string]bool, len(t.files))
	for _, f := range t.files {
		owned[f.Path] = true
		have, err := regular.ReadIn(root, f.Path, maxFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			all = append(all, Difference{Path: f.Path, Kind: Missing, want: f.Data})
		case err != nil:
			return nil, unreadable(dir, err)
		case !bytes.Equal(have, f.Data):
			all = append(all, Difference{Path: f.Path, Kind: Changed, have: have, want: f.Data})
		}
	}
	var old map[string]string
	if record, err := readRecord(root); err == nil {
		old = record.Files
	}
	extra, err := foreign(root, owned, old)
	if err != nil {
		return nil, regular.Within(dir, err)
	}
	for _, name := range extra {
		have, err := regular.ReadIn(root, name, maxFile)
		if err != nil { // a link to elsewhere, for instance: it goes, unread
			have = nil
		}
		all = append(all, Difference{Path: name, Kind: Extra, have: have})
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// unreadable says of an error which file of the folder it is about.
func unreadable(dir string, err error) error {
	var wrong *fs.PathError
	if regular.Escapes(err) || !errors.As(err, &wrong) {
		return regular.Within(dir, err)
	}
	return diag.WithHint(fmt.Errorf("%s: %w", filepath.Join(dir, filepath.FromSlash(wrong.Path)), wrong.Err),
		"move it away; bundlegen generate writes it anew")
}

// HandEdited tells which files of the folder are not as bundlegen wrote them, by
// the hashes in the folder's own plan.json: edits by hand, as against changes
// that a new configuration would make. It is sorted by path. A folder that is
// not there, or is empty but for dist/ and .databricks/, has none; one with a
// bundle but without its plan.json reports plan.json as missing.
func HandEdited(dir string) ([]Difference, error) {
	root, err := openFolder(dir)
	if root == nil {
		return nil, err
	}
	defer root.Close() // only read: closing cannot lose anything
	record, err := readRecord(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for _, name := range []string{RootFile, JobsFile} {
			if _, err := root.Lstat(name); err == nil {
				return []Difference{{Path: PlanFile, Kind: Missing}}, nil
			}
		}
		return nil, nil
	case errors.Is(err, errRecord):
		return []Difference{{Path: PlanFile, Kind: Changed}}, nil
	case err != nil:
		return nil, unreadable(dir, err)
	}

	var all []Difference
	owned := map[string]bool{PlanFile: true}
	for _, name := range slices.Sorted(maps.Keys(record.Files)) {
		owned[name] = true
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return []Difference{{Path: PlanFile, Kind: Changed}}, nil
		}
		data, err := regular.ReadIn(root, name, maxFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			all = append(all, Difference{Path: name, Kind: Missing})
		case err != nil:
			return nil, unreadable(dir, err)
		case hash(data) != record.Files[name]:
			all = append(all, Difference{Path: name, Kind: Changed, have: data})
		}
	}
	extra, err := foreign(root, owned, nil)
	if err != nil {
		return nil, regular.Within(dir, err)
	}
	for _, name := range extra {
		all = append(all, Difference{Path: name, Kind: Extra})
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

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
