package bundle

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/text"
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
	notes []string
}

// newTree takes the files over.
func newTree(files []File) *Tree {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return &Tree{files: files}
}

// Files lists the files, sorted by path.
func (t *Tree) Files() []File { return t.files }

// Notes lists what the bundle leaves out of files that pipeline.yml names, though
// they ask for it.
func (t *Tree) Notes() []string { return t.notes }

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
// their time of change, so that a deploy uploads only what is new. A folder that
// is not a bundle's (Own) is refused, and nothing outside of dir is written or
// removed, whatever links and plan.json in it say.
//
// Nothing in dir changes before every new file has been written beside it in
// full: a full disk or a folder that is read-only leaves the old bundle whole.
// Each file is replaced in one step; plan.json, which says what belongs to the
// bundle, comes last. Two writers of one folder at once are not supported.
func (t *Tree) Write(dir string) error {
	if err := Own(dir); err != nil {
		return err
	}
	if root, err := openFolder(dir); err != nil {
		return err
	} else if root != nil {
		err := removeLeftovers(root)
		if err := errors.Join(err, root.Close()); err != nil {
			return regular.Within(dir, err)
		}
	}
	changes, err := t.Compare(dir)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	above, err := makeFolder(dir)
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(dir)
	}
	if err == nil {
		defer root.Close() // nothing was opened for writing by it
		err = writeInto(root, changes)
	}
	if err != nil {
		for _, folder := range slices.Backward(above) {
			_ = os.Remove(folder) // one that is not empty stays
		}
		return regular.Within(dir, fmt.Errorf("writing the bundle to %s: %w", dir, err))
	}
	return regular.Within(dir, removeStale(root, changes))
}

// openFolder opens a bundle's folder; it is nil, without an error, where there is none.
func openFolder(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return root, err
}

// makeFolder makes a folder and those above it, and returns those that were not
// there, the deepest last.
func makeFolder(dir string) (made []string, err error) {
	for folder := filepath.Clean(dir); ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, folder)
	}
	slices.Reverse(made)
	return made, os.MkdirAll(dir, 0o755)
}

const stagingPrefix = ".bundlegen-"

// removeLeftovers removes what a Write that was killed left behind.
func removeLeftovers(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagingPrefix) {
			if err := root.RemoveAll(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeInto writes what is missing or changed; where that fails, it leaves no new
// folder behind.
func writeInto(root *os.Root, changes []Difference) error {
	made, err := makeFolders(root, changes)
	if err == nil {
		err = replace(root, changes)
	}
	if err != nil {
		for _, folder := range slices.Backward(made) {
			_ = root.Remove(folder) // one that is not empty stays
		}
	}
	return err
}

// replace writes what is missing or changed into a folder of its own inside the
// bundle's (renaming needs one file system), then moves each file into its place.
func replace(root *os.Root, changes []Difference) (err error) {
	staging := stagingPrefix + rand.Text()
	if err := root.Mkdir(staging, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.RemoveAll(staging)) }()

	var ready [][2]string
	for i, c := range changes {
		if c.Kind == Extra {
			continue
		}
		temp := path.Join(staging, fmt.Sprint(i))
		if err := root.WriteFile(temp, c.want, 0o644); err != nil {
			return err
		}
		ready = append(ready, [2]string{temp, c.Path})
	}
	slices.SortStableFunc(ready, func(a, b [2]string) int { return planLast(a[1]) - planLast(b[1]) })
	for _, r := range ready {
		if err := root.Rename(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func planLast(name string) int {
	if path.Base(name) == PlanFile {
		return 1
	}
	return 0
}

// makeFolders makes the folders of the files, and returns those that were not
// there, the deepest last.
func makeFolders(root *os.Root, changes []Difference) (made []string, err error) {
	var wanted []string
	for _, c := range changes {
		for folder := path.Dir(c.Path); c.Kind != Extra && folder != "."; folder = path.Dir(folder) {
			wanted = append(wanted, folder)
		}
	}
	slices.Sort(wanted)
	for _, folder := range slices.Compact(wanted) {
		switch _, err := root.Stat(folder); {
		case errors.Is(err, fs.ErrNotExist):
			made = append(made, folder)
		case err != nil:
			return made, err
		}
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return made, err
		}
	}
	return made, nil
}

// removeStale removes the files of an earlier bundle, and folders left empty by that.
func removeStale(root *os.Root, changes []Difference) error {
	for _, c := range changes {
		if c.Kind != Extra {
			continue
		}
		if err := root.Remove(c.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing what is no longer part of the bundle: %w", err)
		}
		if folder := path.Dir(c.Path); folder != "." {
			_ = root.Remove(folder) // one that is not empty stays
		}
	}
	return nil
}

// foreign finds files in a folder that an emitted bundle would own and tree does
// not have: files of the bundle that is there, and manifests, since the tasks take
// every manifest in the folder for a partition. What its plan.json lists outside
// of the folder is nobody's.
func foreign(root *os.Root, owned map[string]bool, old map[string]string) ([]string, error) {
	var extra []string
	for name := range old {
		if owned[name] || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		if _, err := root.Lstat(name); err == nil {
			extra = append(extra, name)
		}
	}
	manifests, err := fs.ReadDir(root.FS(), manifest.Folder)
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

// maxFile is the size of the largest file of a bundle that is read, in bytes: one
// manifest may have a million tags.
const maxFile = 256 << 20

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// aside are what a folder may hold without a bundle: what the programs make
// there, and what version control and file managers leave.
var aside = []string{"dist", ".databricks", ".git", ".gitignore", ".gitattributes", ".gitkeep", ".DS_Store"}

// Own returns an error for a folder that is not a bundle's: the file system's root
// and the home folder, folders right below them, and a folder with files of
// somebody else. One that is not there, or is empty, may become one.
func Own(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for _, folder := range []string{abs, filepath.Dir(abs)} {
		if filepath.Dir(folder) == folder || isHome(folder) {
			return diag.WithHint(fmt.Errorf("%s: bundles are not written into %s; allowed: a folder of their own", dir, folder),
				"`output` of pipeline.yml names that folder, such as bundles")
		}
	}
	root, err := openFolder(dir)
	if root == nil {
		return err
	}
	defer root.Close() // only read: closing cannot lose anything
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var others []string
	for _, e := range entries {
		if !slices.Contains(aside, e.Name()) && !(e.IsDir() && strings.HasPrefix(e.Name(), stagingPrefix)) {
			others = append(others, text.Line(e.Name()))
		}
	}
	if len(others) == 0 || emitted(root) {
		return nil
	}
	if more := len(others) - 3; more > 0 {
		others = append(others[:3:3], fmt.Sprintf("%d more", more))
	}
	return diag.WithHint(fmt.Errorf("%s: the folder holds what bundlegen did not write: %s", dir, strings.Join(others, ", ")),
		"bundles go into a folder of their own: change `output` or `name` in pipeline.yml, or move the files away")
}

// isHome reports whether a folder is the home folder of who runs the program.
func isHome(folder string) bool {
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	there, err := os.Stat(folder)
	if err != nil {
		return filepath.Clean(home) == folder
	}
	own, err := os.Stat(home)
	return err == nil && os.SameFile(there, own)
}

// emitted reports whether a folder has a bundle that bundlegen wrote, be it
// damaged: its plan.json, or a file of the bundle that says so.
func emitted(root *os.Root) bool {
	data, err := regular.ReadIn(root, PlanFile, maxFile)
	var head struct {
		ID string `json:"plan_id"`
	}
	if err == nil && json.Unmarshal(data, &head) == nil && head.ID != "" {
		return true
	}
	for _, name := range []string{RootFile, JobsFile} {
		if data, err := regular.ReadIn(root, name, maxFile); err == nil && bytes.Contains(data, []byte(written)) {
			return true
		}
	}
	return false
}
