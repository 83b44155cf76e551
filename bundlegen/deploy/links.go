package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// cliFolder is where the CLI writes and removes files below a bundle's folder.
const cliFolder = ".databricks"

// noWayOut returns an error for a bundle whose folder of the CLI has a link that
// leads out of the bundle: the CLI would follow it, and write or remove files
// elsewhere.
func noWayOut(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() // only read: closing cannot lose anything
	refuse := func(name string, err error) error {
		return diag.WithHint(fmt.Errorf("%s: a link leads out of the bundle's folder: %w", filepath.Join(dir, filepath.FromSlash(name)), err),
			"remove the link; the CLI makes the folder %s again", cliFolder)
	}
	if _, err := root.Lstat(cliFolder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := root.Stat(cliFolder); err != nil {
		return refuse(cliFolder, err)
	}
	return fs.WalkDir(root.FS(), cliFolder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink == 0 {
			return err
		}
		if _, err := root.Stat(filepath.FromSlash(name)); err != nil {
			return refuse(name, err)
		}
		return nil
	})
}
