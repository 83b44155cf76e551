package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/text"
)

// aside are what a folder may hold without a bundle: what the programs make
// there, and what version control and file managers leave.
var aside = []string{"dist", ".databricks", ".git", ".gitignore", ".gitattributes", ".gitkeep", ".DS_Store"}

// Own returns an error for a folder that is not a bundle's: the file system's root
// and the home folder, folders right below them, and a folder with files of
// somebody else. One that is not there, or is empty, may become one.
func Own(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for _, folder := range []string{abs, filepath.Dir(abs)} {
		if filepath.Dir(folder) == folder || isHome(folder) {
			return diag.WithHint(fmt.Errorf("%s: bundles are not written into %s; allowed: a folder of their own", dir, folder),
				"`output` of pipeline.yml names that folder, such as bundles")
		}
	}
	root, err := openFolder(dir)
	if root == nil {
		return err
	}
	defer root.Close() // only read: closing cannot lose anything
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var others []string
	for _, e := range entries {
		if !slices.Contains(aside, e.Name()) && !(e.IsDir() && strings.HasPrefix(e.Name(), stagingPrefix)) {
			others = append(others, text.Line(e.Name()))
		}
	}
	if len(others) == 0 || emitted(root) {
		return nil
	}
	if more := len(others) - 3; more > 0 {
		others = append(others[:3:3], fmt.Sprintf("%d more", more))
	}
	return diag.WithHint(fmt.Errorf("%s: the folder holds what bundlegen did not write: %s", dir, strings.Join(others, ", ")),
		"bundles go into a folder of their own: change `output` or `name` in pipeline.yml, or move the files away")
}

// isHome reports whether a folder is the home folder of who runs the program.
func isHome(folder string) bool {
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	there, err := os.Stat(folder)
	if err != nil {
		return filepath.Clean(home) == folder
	}
	own, err := os.Stat(home)
	return err == nil && os.SameFile(there, own)
}

// emitted reports whether a folder has a bundle that bundlegen wrote, be it
// damaged: its plan.json, or a file of the bundle that says so.
func emitted(root *os.Root) bool {
	data, err := regular.ReadIn(root, PlanFile, maxFile)
	var head struct {
		ID string `json:"plan_id"`
	}
	if err == nil && json.Unmarshal(data, &head) == nil && head.ID != "" {
		return true
	}
	for _, name := range []string{RootFile, JobsFile} {
		if data, err := regular.ReadIn(root, name, maxFile); err == nil && bytes.Contains(data, []byte(written)) {
			return true
		}
	}
	return false
}
