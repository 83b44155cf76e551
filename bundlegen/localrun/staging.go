package localrun

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/extractor/stage"
)

// prepareStaging chooses the staging folder. In one of its own it removes what
// killed runs left: the data folder's lock says that nobody writes there.
func (l *sparkLake) prepareStaging() error {
	if own, ok := l.o.Getenv(stagingVariable); ok && own != "" {
		l.staging = own // others may be at work in it
		return nil
	}
	l.staging = filepath.Join(l.dir, "staging")
	if err := sweep(l.staging, l.o.Pipeline); err != nil {
		return fmt.Errorf("staging of an earlier run: %w", err)
	}
	return nil
}

// sweep removes torn folders and all leases of a pipeline. Whole folders stay:
// the tasks publish them. What cannot be read stays, too: they say why.
func sweep(root, pipeline string) error {
	folders, err := stage.All(root, pipeline)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if _, whole, err := f.Header(); !whole && err == nil {
			if err := f.Remove(); err != nil {
				return err
			}
		}
	}
	partitions, err := stage.Partitions(root, pipeline)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := removeLeases(filepath.Dir(stage.New(root, pipeline, p, 0, "").Dir)); err != nil {
			return err
		}
	}
	return nil
}

// removeLeases removes the leases in a partition's folder; a writer may have
// died between its lease and its folder.
func removeLeases(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".lease" && !e.IsDir() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
