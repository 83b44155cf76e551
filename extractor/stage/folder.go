// Package stage writes a batch to disk before it is published: Parquet files
// of its events and one marker with everything else. The folder is the
// write-ahead log of landing, so its rules are those of a log:
//
//   - a folder is whole only when its marker is there, and the marker is made
//     (by rename) only after every file before it was synced to disk;
//   - the marker holds the batch's number and every tag's outcome, so that any
//     later process can publish the batch without asking PI again;
//   - a folder without a marker is torn: nothing in it is ever read.
//
// A folder stands at ROOT/PIPELINE/PARTITION/NUMBER-BATCH_ID/. Its data are the
// files data-*.parquet, which Writer writes, and data/*.parquet, which Spark does.
// Where several processes share ROOT, a lease beside the folder says how long its
// writer may be at work: a torn folder without a lease in force is dead.
package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
)

const (
	markerName  = "batch.json"
	leaseSuffix = ".lease"
)

// Lease says who writes a folder, and until when at most.
type Lease struct {
	RunID   string    `json:"run_id"`
	Attempt int       `json:"attempt"`
	Expires time.Time `json:"expires"`
}

// Folder is a batch's staging folder.
type Folder struct {
	Dir       string
	Partition int
	Number    int64
	BatchID   string
	Lease     Lease // written by Create; the zero value: none, since no other process sees ROOT
}

// New names the folder of a batch; nothing is made yet.
func New(root, pipeline string, partition int, number int64, batchID string) Folder {
	return Folder{
		Dir:       filepath.Join(partitionDir(root, pipeline, partition), folderName(number, batchID)),
		Partition: partition, Number: number, BatchID: batchID,
	}
}

func pipelineDir(root, pipeline string) string { return filepath.Join(root, url.PathEscape(pipeline)) }

func partitionDir(root, pipeline string, partition int) string {
	return filepath.Join(pipelineDir(root, pipeline), partitionName(partition))
}

func partitionName(partition int) string { return fmt.Sprintf("p%04d", partition) }

func folderName(number int64, batchID string) string { return fmt.Sprintf("%012d-%s", number, batchID) }

// All gives the folders of every partition of a pipeline, by partition, then as List.
func All(root, pipeline string) ([]Folder, error) {
	partitions, err := Partitions(root, pipeline)
	if err != nil {
		return nil, err
	}
	var out []Folder
	for _, p := range partitions {
		folders, err := List(root, pipeline, p)
		if err != nil {
			return nil, err
		}
		out = append(out, folders...)
	}
	return out, nil
}

// Partitions lists the partitions that have had folders, in ascending order. Names
// that are not a partition's are passed over.
func Partitions(root, pipeline string) ([]int, error) {
	entries, err := os.ReadDir(pipelineDir(root, pipeline))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "p"))
		if err == nil && n >= 0 && e.IsDir() && e.Name() == partitionName(n) {
			out = append(out, n)
		}
	}
	sort.Ints(out)
	return out, nil
}

// List gives the folders of a partition in order of number, then batch_id.
// Names that are not a folder's are passed over.
func List(root, pipeline string, partition int) ([]Folder, error) {
	dir := partitionDir(root, pipeline, partition)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Folder
	for _, e := range entries {
		number, id, ok := strings.Cut(e.Name(), "-")
		n, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || !e.IsDir() || e.Name() != folderName(n, id) {
			continue
		}
		out = append(out, Folder{Dir: filepath.Join(dir, e.Name()), Partition: partition, Number: n, BatchID: id})
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Number != out[j].Number {
			return out[i].Number < out[j].Number
		}
		return out[i].BatchID < out[j].BatchID
	})
	return out, nil
}

// Header reads the folder's marker. whole is false, without an error, when there
// is none, or when it was not written to its end. A marker that was made for
// another folder, or by a newer program, is an error.
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
	switch err := json.Unmarshal(data, &h); {
	case errors.As(err, &cut) && cut.Offset >= int64(len(data)):
		return batch.Header{}, false, nil // no beginning of a JSON object is one
	case err != nil:
		return h, false, fmt.Errorf("%s: %w", path, err)
	case h.Version > batch.HeaderVersion:
		return h, false, fmt.Errorf("%s: version %d is newer than this program, which knows %d\nhint: a newer bundle ran on these tables: deploy that one again, and it publishes this batch", path, h.Version, batch.HeaderVersion)
	}
	if own := New("", h.Pipeline, h.Partition, h.Number, h.ID).Dir; !strings.HasSuffix(f.Dir, string(filepath.Separator)+own) {
		return h, false, fmt.Errorf("%s: the marker is of another folder, %s\nhint: a staging folder is never renamed or copied", path, own)
	}
	return h, true, nil
}

// DataFiles lists the folder's Parquet files, sorted. An empty batch has none.
func (f Folder) DataFiles() ([]string, error) {
	own, err := filepath.Glob(filepath.Join(globEscape(f.Dir), "data-*.parquet"))
	if err != nil {
		return nil, err
	}
	sparks, err := filepath.Glob(filepath.Join(globEscape(f.DataDir()), "*.parquet"))
	return append(own, sparks...), err
}

// DataDir is the folder that Spark writes the data to; Spark makes it.
func (f Folder) DataDir() string { return filepath.Join(f.Dir, "data") }

// files lists the data files with their sizes.
func (f Folder) files() ([]batch.File, error) {
	paths, err := f.DataFiles()
	if err != nil {
		return nil, err
	}
	out := make([]batch.File, len(paths))
	for i, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(f.Dir, p)
		if err != nil {
			return nil, err
		}
		out[i] = batch.File{Name: filepath.ToSlash(name), Size: info.Size()}
	}
	return out, nil
}

// Check says whether the data files are those that the marker lists.
func (f Folder) Check(h *batch.Header) error {
	if h.Version == 0 {
		return nil // it has no list
	}
	have, err := f.files()
	if err != nil {
		return err
	}
	if !slices.Equal(have, h.Files) {
		return fmt.Errorf("%s: its data files are not those that %s lists\nhint: nobody but the tasks may change the staging folders; restore it, or see its ranges in %s", f.Dir, markerName, markerName)
	}
	return nil
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Create makes the folder, its lease first.
func (f Folder) Create() error {
	if f.Lease != (Lease{}) {
		data, err := json.Marshal(f.Lease)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(f.Dir), 0o700); err != nil {
			return err
		}
		if err := writeSynced(f.Dir+leaseSuffix, data); err != nil {
			return err
		}
	}
	return os.MkdirAll(f.Dir, 0o700)
}

// ReadLease gives the folder's lease; ok is false when there is none that can be read.
func (f Folder) ReadLease() (l Lease, ok bool) {
	data, err := os.ReadFile(f.Dir + leaseSuffix)
	return l, err == nil && json.Unmarshal(data, &l) == nil
}

// Release ends the folder's lease: its writer is done with it, whole or torn.
func (f Folder) Release() error {
	if err := os.Remove(f.Dir + leaseSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Seal makes the folder whole, and h say what data it has. Every data file is
// closed and synced by now (Writer.Close does that; Spark's are when its job
// ends): the marker must not be durable before them.
func (f Folder) Seal(h *batch.Header) error {
	h.Version = batch.HeaderVersion
	var err error
	if h.Files, err = f.files(); err != nil {
		return err
	}
	data, err := json.Marshal(h)
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
		// A volume of Databricks knows no rename. A marker that was not written to
		// its end does not parse, so it may be written in its place.
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

// Remove deletes the folder, its marker first: a removal that breaks off leaves
// a torn folder, never a whole one with files missing.
func (f Folder) Remove() error {
	if err := os.Remove(filepath.Join(f.Dir, markerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(f.Dir); err != nil {
		return err
	}
	return f.Release()
}

func writeSynced(path string, data []byte) error {
	w, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return errors.Join(err, w.Sync(), w.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		err = nil // a volume of Databricks has no folders to sync: its files are objects
	}
	return errors.Join(err, d.Close())
}
