package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/text"
)

// notForGit are files next to pipeline.yml that are not to be committed: what
// run --local has landed, wheels, and the databricks CLI's own state.
var notForGit = []string{"/" + defaultData + "/", "lake.duckdb*", workflow.DistFolder + "/", ".databricks/"}

// writeGitignore writes a .gitignore beside a new pipeline.yml. An existing
// one stays as it is: notes name the lines that it lacks.
func writeGitignore(pipeline string) (wrote string, notes []string) {
	path := filepath.Join(filepath.Dir(pipeline), ".gitignore")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString("# Landed data, wheels, and the databricks CLI's state. Commit the rest, also what\n" +
			"# `bundlegen generate` writes: the next plan keeps to its manifests.\n" + strings.Join(notForGit, "\n") + "\n")
		if err = errors.Join(err, f.Close()); err == nil {
			return path, nil
		}
		err = errors.Join(err, os.Remove(path))
	}
	missing := notForGit
	if errors.Is(err, fs.ErrExist) {
		if missing = lacking(path); len(missing) == 0 {
			return "", nil
		}
		return "", []string{fmt.Sprintf("%s is there already, and init changes none; add to it: %s", path, strings.Join(missing, "  "))}
	}
	return "", []string{fmt.Sprintf("%s could not be written (%s); keep out of git: %s", path, text.Line(err.Error()),
		strings.Join(missing, "  "))}
}

// lacking returns the lines of notForGit that a .gitignore does not have.
func lacking(path string) []string {
	data, _ := os.ReadFile(path) // what cannot be read has none of them
	have := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		have[strings.Trim(strings.TrimSpace(line), "/")] = true
	}
	return slices.DeleteFunc(slices.Clone(notForGit), func(line string) bool { return have[strings.Trim(line, "/")] })
}
