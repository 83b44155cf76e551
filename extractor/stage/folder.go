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
	"syscall"
	"time"
)

const (
	markerName  = "batch.json"
	leaseSuffix = ".lease"
	asideName   = "set-aside" // not a partition's name, so that listing folders skips it
)

// Lease names the writer of a folder, and until when it may be running.
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
	Lease     Lease // written by Create; zero: none, since no other process sees ROOT
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

// All returns the folders of every partition of a pipeline, by partition, then in List's order.
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

// Partitions returns the partitions that have had folders, ascending. Other names are
// skipped.
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

// List returns the folders of a partition in order of number, then batch_id.
// Other names are skipped.
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

// ReadLease returns the folder's lease; ok is false if there is none, or it is unreadable.
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

// Remove deletes the folder, its marker first: an interrupted removal leaves a torn
// folder, never a whole one with missing files.
func (f Folder) Remove() error {
	if err := os.Remove(filepath.Join(f.Dir, markerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(f.Dir); err != nil {
		return err
	}
	return f.Release()
}

// SetAside moves the folder to where nothing takes it for a batch or removes it, and
// returns that place. It is not an error if another process has moved it.
func (f Folder) SetAside() (string, error) {
	partition := filepath.Dir(f.Dir)
	aside := filepath.Join(filepath.Dir(partition), asideName, filepath.Base(partition))
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		to := filepath.Join(aside, filepath.Base(f.Dir))
		if n > 1 {
			to += fmt.Sprintf(".%d", n) // one of that name was set aside before
		}
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		err := os.Rename(f.Dir, to)
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EXDEV) {
			// A Databricks volume has no rename. An interrupted copy leaves the folder unchanged.
			if err = os.CopyFS(to, os.DirFS(f.Dir)); err == nil {
				err = f.Remove()
			}
		}
		switch {
		case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, fs.ErrExist):
			continue // another process was faster
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		return to, errors.Join(f.Release(), syncDir(aside), syncDir(partition))
	}
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
		err = nil // a Databricks volume has no folders to sync: its files are objects
	}
	return errors.Join(err, d.Close())
}
