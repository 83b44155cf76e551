package manifest

import (
	"io"

	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Load reads the manifest in a file; see Read.
func Load(file string) ([]inventory.Tag, error) { return load(file, Read) }

// LoadSites reads the sites.json in a file; see ReadSites.
func LoadSites(file string) (Sites, error) { return load(file, ReadSites) }

func load[T any](file string, read func(io.Reader, string) (T, error)) (T, error) {
	f, err := regular.Open(file)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close() // only read: closing cannot lose anything
	return read(f, file)
}
