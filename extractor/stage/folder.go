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
// A folder stands at ROOT/PIPELINE/PARTITION/NUMBER-BATCH_ID/.
package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
)

const markerName = "batch.json"

// Folder is a batch's staging folder.
type Folder struct {
	Dir       string
	Partition int
	Number    int64
	BatchID   string
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

// Partitions lists the partitions that have folders, in ascending order. Names
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
// is none. A marker that was made for another folder is an error.
func (f Folder) Header() (h batch.Header, whole bool, err error) {
	data, err := os.ReadFile(filepath.Join(f.Dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return h, false, fmt.Errorf("%s: %w", filepath.Join(f.Dir, markerName), err)
	}
	if own := New("", h.Pipeline, h.Partition, h.Number, h.ID).Dir; !strings.HasSuffix(f.Dir, string(filepath.Separator)+own) {
		return h, false, fmt.Errorf("%s: the marker is of another folder, %s\nhint: a staging folder is never renamed or copied",
			filepath.Join(f.Dir, markerName), own)
	}
	return h, true, nil
}

// DataFiles lists the folder's Parquet files, sorted. An empty batch has none.
func (f Folder) DataFiles() ([]string, error) {
	return filepath.Glob(filepath.Join(globEscape(f.Dir), "data-*.parquet"))
}

func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Create makes the folder.
func (f Folder) Create() error { return os.MkdirAll(f.Dir, 0o700) }

// Seal makes the folder whole. Every data file is closed and synced by now
// (Writer.Close does that): the marker must not be durable before them.
func (f Folder) Seal(h *batch.Header) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	tmp := filepath.Join(f.Dir, markerName+".tmp")
	if err := writeSynced(tmp, data); err != nil {
		return err
	}
	// The names of the data files first, then the marker's, then the folder's own.
	if err := syncDir(f.Dir); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(f.Dir, markerName)); err != nil {
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
	return os.RemoveAll(f.Dir)
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
	return errors.Join(d.Sync(), d.Close())
}
