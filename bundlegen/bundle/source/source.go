// Package source finds and parses the YAML files of a bundle's folder, as the
// databricks CLI does: one root, and what that includes.
package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// Roots are the file names that the CLI takes for a bundle's root.
var Roots = []string{"databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml"}

// maxFile is the size of the largest YAML file that is read, in bytes: a thousand tasks
// take some megabytes.
const maxFile = 64 << 20

// Document is one parsed file.
type Document struct {
	File string // relative to the bundle's folder, with slashes
	Tree *yamlread.Node
}

// Include is one pattern of the root's include list and the files that match it.
type Include struct {
	Pattern *yamlread.Node
	Files   []string // relative to the bundle's folder, sorted
}

// Root parses the root of the bundle in dir. The error is an fs.ErrNotExist
// where there is none.
func Root(dir string) (Document, error) {
	for _, name := range Roots {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return Parse(dir, name)
		}
	}
	return Document{}, diag.WithHint(fmt.Errorf("%s: no bundle here: %s is missing: %w", dir, Roots[0], fs.ErrNotExist),
		"`bundlegen generate` writes it")
}

// Includes gives what the root includes. Items that are not text are left aside.
func Includes(dir string, root Document) ([]Include, error) {
	list := root.Tree.Get("include")
	if list == nil {
		return nil, nil
	}
	var all []Include
	for _, item := range list.Items {
		if item.Kind != yamlread.String {
			continue
		}
		// Within dir as a file system, so that a folder's own name is no pattern.
		files, err := fs.Glob(os.DirFS(dir), filepath.ToSlash(filepath.Clean(item.Text)))
		if err != nil {
			return nil, fmt.Errorf("%s:%d:%d: include %q: %w", filepath.Join(dir, root.File), item.Line, item.Column, item.Text, err)
		}
		slices.Sort(files)
		all = append(all, Include{Pattern: item, Files: files})
	}
	return all, nil
}

// Parse parses one file of the bundle.
func Parse(dir, file string) (Document, error) {
	name := filepath.Join(dir, filepath.FromSlash(file))
	data, err := Read(dir, file, maxFile)
	if err != nil {
		return Document{}, err
	}
	tree, err := yamlread.Parse(data, name, "`bundlegen generate` writes it")
	return Document{File: file, Tree: tree}, err
}

// Read reads a file of the bundle of at most so many bytes. A link that leads out of
// the folder is not followed: what it leads to might be shown.
func Read(dir, file string, most int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read: closing cannot lose anything
	data, err := regular.ReadIn(root, file, most)
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		wrong.Path = filepath.Join(dir, filepath.FromSlash(file))
	}
	return data, err
}

// IsYAML says whether a file has a name that the CLI reads as YAML.
func IsYAML(file string) bool {
	ext := filepath.Ext(file)
	return ext == ".yml" || ext == ".yaml"
}
