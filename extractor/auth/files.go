package auth

import (
	"fmt"
	"os"
	"path/filepath"
)

// Files reads a file that a site names, by its path in the bundle: a certificate
// authority, a Kerberos configuration. Its error says which file and why.
type Files func(name string) ([]byte, error)

// Folder gives the files of a folder, such as the bundle's root, and none outside of it.
func Folder(dir string) Files {
	return func(name string) ([]byte, error) {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("the file %q is outside the bundle", name)
		}
		return os.ReadFile(filepath.Join(dir, name))
	}
}
