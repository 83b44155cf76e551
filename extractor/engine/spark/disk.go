package spark

import (
	"errors"
	"os"
)

// tryFolder makes a folder where there is none, and writes a file into it, so
// that a folder that may not be written is found before anything depends on it.
func tryFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
