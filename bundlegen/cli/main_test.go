package cli_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The static programs of bin/ stand beside the test, as they do beside bundlegen:
// without them each wheel would be built from the source, which takes a minute.
func TestMain(m *testing.M) {
	if err := besideTheTest(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func besideTheTest() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range []string{"pi-extractor-linux-amd64", "pi-extractor-linux-arm64"} {
		program, err := filepath.Abs(filepath.Join("../../bin", name))
		if err != nil {
			return err
		}
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("%w; make build makes it", err)
		}
		if err := os.Symlink(program, filepath.Join(filepath.Dir(self), name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
