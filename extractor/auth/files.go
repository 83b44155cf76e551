package auth

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/internal/regular"
)

// maxFile is the size of the largest file that a site may name, in bytes: all
// certificate authorities of a system together take a quarter of it.
const maxFile = 1 << 20

// Files reads a file that a site names, by its path in the bundle: a certificate
// authority, a Kerberos configuration. Its error names the file and the reason.
type Files func(name string) ([]byte, error)

// Folder returns the files of a folder, such as the bundle's root, and none outside of it.
func Folder(dir string) Files {
	return func(name string) ([]byte, error) {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("the file %q is outside the bundle", name)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close() // only read: closing cannot lose anything
		return regular.ReadIn(root, filepath.ToSlash(name), maxFile)
	}
}
