package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// File is one file of a bundle.
type File struct {
	Path string // relative to the bundle's root, with slashes
	Data []byte // read-only
}

// Tree is a bundle in memory. It is read-only, and safe for concurrent use.
type Tree struct {
	files []File // sorted by path
}

// newTree takes the files over.
func newTree(files []File) *Tree {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return &Tree{files: files}
}

// Files lists the files, sorted by path.
func (t *Tree) Files() []File { return t.files }

// File gives a file's content.
func (t *Tree) File(name string) ([]byte, bool) {
	i, ok := slices.BinarySearchFunc(t.files, name, func(f File, name string) int { return strings.Compare(f.Path, name) })
	if !ok {
		return nil, false
	}
	return t.files[i].Data, true
}

// Write brings the folder dir to the tree: files that differ are replaced, files
// of an earlier bundle that are no longer in it are removed, and all else (dist/,
// .databricks/, a person's own files) is left as it is. Unchanged files keep
// their time of change, so that a deploy uploads only what is new.
//
// Nothing in dir changes before every new file has been written beside it in
// full: a full disk or a folder that is read-only leaves the old bundle whole.
// Each file is replaced in one step; plan.json, which says what belongs to the
// bundle, comes last. Two writers of one folder at once are not supported.
func (t *Tree) Write(dir string) error {
	if err := removeLeftovers(dir); err != nil {
		return err
	}
	changes, err := t.Compare(dir)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	made, err := makeFolders(dir, changes)
	if err == nil {
		err = replace(dir, changes)
	}
	if err != nil {
		removeEmpty(made)
		return fmt.Errorf("writing the bundle to %s: %w", dir, err)
	}
	return removeStale(dir, changes)
}

const stagingPrefix = ".bundlegen-"

// removeLeftovers removes what a Write that was killed left behind.
func removeLeftovers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagingPrefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// replace writes what is missing or changed into a folder of its own inside dir
// (renaming needs one file system), then moves each file into its place.
func replace(dir string, changes []Difference) (err error) {
	staging, err := os.MkdirTemp(dir, stagingPrefix+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(staging)) }()

	var ready [][2]string
	for i, c := range changes {
		if c.Kind == Extra {
			continue
		}
		temp := filepath.Join(staging, fmt.Sprint(i))
		if err := os.WriteFile(temp, c.want, 0o644); err != nil {
			return err
		}
		ready = append(ready, [2]string{temp, filepath.Join(dir, filepath.FromSlash(c.Path))})
	}
	slices.SortStableFunc(ready, func(a, b [2]string) int { return planLast(a[1]) - planLast(b[1]) })
	for _, r := range ready {
		if err := os.Rename(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func planLast(name string) int {
	if filepath.Base(name) == PlanFile {
		return 1
	}
	return 0
}

// makeFolders makes dir and the folders of its files, and gives those that were
// not there, the deepest last.
func makeFolders(dir string, changes []Difference) (made []string, err error) {
	wanted := []string{dir}
	for _, c := range changes {
		for folder := path.Dir(c.Path); c.Kind != Extra && folder != "."; folder = path.Dir(folder) {
			wanted = append(wanted, filepath.Join(dir, filepath.FromSlash(folder)))
		}
	}
	slices.Sort(wanted)
	for _, folder := range slices.Compact(wanted) {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			made = append(made, folder)
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return made, err
		}
	}
	return made, nil
}

// removeEmpty takes back folders that were made for files that could not be written.
func removeEmpty(made []string) {
	for _, folder := range slices.Backward(made) {
		_ = os.Remove(folder) // one that is not empty stays
	}
}

// removeStale removes the files of an earlier bundle, and folders left empty by that.
func removeStale(dir string, changes []Difference) error {
	for _, c := range changes {
		if c.Kind != Extra {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(c.Path))
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing what is no longer part of the bundle: %w", err)
		}
		if folder := path.Dir(c.Path); folder != "." {
			_ = os.Remove(filepath.Join(dir, filepath.FromSlash(folder))) // one that is not empty stays
		}
	}
	return nil
}

// foreign finds files in dir that an emitted bundle would own and tree does not
// have: files of the bundle that is there, and manifests, since the tasks take
// every manifest in the folder for a partition.
func foreign(dir string, owned map[string]bool, old map[string]string) ([]string, error) {
	var extra []string
	for name := range old {
		if owned[name] || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			extra = append(extra, name)
		}
	}
	manifests, err := os.ReadDir(filepath.Join(dir, manifest.Folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range manifests {
		name := path.Join(manifest.Folder, e.Name())
		if _, known := old[name]; !known && !owned[name] && !e.IsDir() && strings.HasSuffix(name, ".csv") {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	return extra, nil
}

// sameContent compares a file with data without reading more than it must.
func sameContent(file string, data []byte) (same bool, have []byte, err error) {
	have, err = os.ReadFile(file)
	if err != nil {
		return false, nil, err
	}
	return bytes.Equal(have, data), have, nil
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
