package stage

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/internal/crash"
)

// Damage is the error of a folder that is not what was staged. A disk that cannot be read
// is another error, which may pass.
type Damage struct {
	Folder Folder
	Reason string
	Header batch.Header // of the marker; the zero value if it cannot be read
	Sealed bool         // the marker itself is unchanged: Header is right
}

func (d *Damage) Error() string { return d.Folder.Dir + ": " + d.Reason }

// Verify reads the folder's marker and compares the folder with it, file by file and byte
// by byte. whole is false, without an error, if the folder has no marker, also when
// another process is just removing it. The error is a *Damage if the folder is not what
// was staged.
func (f Folder) Verify() (h batch.Header, whole bool, err error) {
	return f.inspect(func(h *batch.Header) error {
		if err := f.Check(h); err != nil {
			return err
		}
		return f.checkDigests(h)
	})
}

// Glance is Verify without reading the data, for a folder that was just verified.
func (f Folder) Glance() (h batch.Header, whole bool, err error) { return f.inspect(f.Check) }

func (f Folder) inspect(check func(*batch.Header) error) (h batch.Header, whole bool, err error) {
	h, whole, err = f.Header()
	if err == nil && whole {
		if err = check(&h); err == nil {
			return h, true, nil
		}
	}
	var d *Damage
	damaged := errors.As(err, &d)
	if damaged || errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(filepath.Join(f.Dir, markerName)); errors.Is(err, fs.ErrNotExist) {
			return batch.Header{}, false, nil // a removal begins with the marker
		}
	}
	if damaged {
		d.Sealed = whole && h.Digested()
	}
	return h, false, err
}

// Check compares the names and sizes of the present data files with those that the marker
// lists. The error is a *Damage if they differ.
func (f Folder) Check(h *batch.Header) error {
	have, err := f.Files()
	if err != nil {
		return err
	}
	damage := func(format string, args ...any) error {
		return &Damage{Folder: f, Header: *h, Reason: fmt.Sprintf(format, args...)}
	}
	if h.Version == 0 {
		h.Files = have // it has no list
	}
	sizes := make(map[string]int64, len(have))
	for _, file := range have {
		sizes[file.Name] = file.Size
	}
	for _, want := range h.Files {
		size, there := sizes[want.Name]
		delete(sizes, want.Name)
		switch {
		case !there:
			return damage("%s, of %d bytes, is missing", want.Name, want.Size)
		case size != want.Size:
			return damage("%s has %d bytes instead of %d", want.Name, size, want.Size)
		}
	}
	for _, file := range have {
		if _, more := sizes[file.Name]; more {
			return damage("%q is one file too many", file.Name) // not a data file's name
		}
	}
	if h.Events > 0 && len(h.Files) == 0 {
		return damage("the batch has %d events, and the folder no data file", h.Events)
	}
	return nil
}

// Files returns the present data files with their sizes, in order of name. An empty batch
// may have none. A failed listing is an error: it never passes for a shorter one.
func (f Folder) Files() ([]batch.File, error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, err
	}
	var out []batch.File
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasSuffix(name, ".parquet"):
			out, err = appendFile(out, e, name)
		case name == dataName && !e.IsDir():
			out, err = appendFile(out, e, name)
		case name == dataName:
			out, err = f.sparkFiles(out)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b batch.File) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// sparkFiles adds what Spark reads in its folder: all but names that begin with .
// or _, which it keeps for its own.
func (f Folder) sparkFiles(out []batch.File) ([]batch.File, error) {
	entries, err := os.ReadDir(f.DataDir())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") {
			continue
		}
		if out, err = appendFile(out, e, path.Join(dataName, e.Name())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// notAFile is the size of what has the name of a data file but is not a file.
const notAFile = -1

func appendFile(out []batch.File, e fs.DirEntry, name string) ([]batch.File, error) {
	info, err := e.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return out, nil // it was removed while the folder was listed
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return append(out, batch.File{Name: name, Size: notAFile}), nil
	}
	return append(out, batch.File{Name: name, Size: info.Size()}), nil
}

// dataName is the folder that Spark writes to, within a batch's.
const dataName = "data"

// DataDir is the folder that Spark writes the data to; Spark makes it.
func (f Folder) DataDir() string { return filepath.Join(f.Dir, dataName) }

// Path returns the path of a data file.
func (f Folder) Path(file batch.File) string {
	return filepath.Join(f.Dir, filepath.FromSlash(file.Name))
}

// DataFiles returns the paths of the folder's Parquet files, in order of name.
func (f Folder) DataFiles() ([]string, error) {
	files, err := f.Files()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(files))
	for i, file := range files {
		out[i] = f.Path(file)
	}
	return out, nil
}

// maxOpenFiles is how many files are read at once for their digests: a network mount is
// slow with a single one.
const maxOpenFiles = 4

// digests reads files, and passes on the digest of each.
func (f Folder) digests(files []batch.File, each func(i int, sha256 string) error) error {
	var g errgroup.Group
	g.SetLimit(maxOpenFiles)
	for i := range files {
		g.Go(func() error {
			defer crash.Exit()
			sum, err := digestOfFile(f.Path(files[i]))
			if err != nil {
				return err
			}
			return each(i, sum)
		})
	}
	return g.Wait()
}

// addDigests adds the digests that are missing.
func (f Folder) addDigests(files []batch.File) error {
	var without []batch.File
	var at []int
	for i := range files {
		if files[i].SHA256 == "" {
			without, at = append(without, files[i]), append(at, i)
		}
	}
	return f.digests(without, func(i int, sum string) error {
		files[at[i]].SHA256 = sum
		return nil
	})
}

// checkDigests reads all data files. Markers of older programs have no digests.
func (f Folder) checkDigests(h *batch.Header) error {
	if !h.Digested() {
		return nil
	}
	return f.digests(h.Files, func(i int, sum string) error {
		if sum != h.Files[i].SHA256 {
			return &Damage{Folder: f, Header: *h, Reason: h.Files[i].Name + " has other bytes than were written"}
		}
		return nil
	})
}

func digestOfFile(path string) (sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{file}, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
