package lint

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Ignored is files of a bundle that git will not take, by one rule of a .gitignore.
type Ignored struct {
	Rule  string   // as it is there: *.csv
	Where string   // the file that it stands in, and the line: .gitignore:3
	Files []string // relative to the bundle's folder, sorted
	Whole bool     // these are all that there are
}

// String returns the rule, its files and what comes of it, as a note shows them.
func (i Ignored) String() string {
	if i.Whole {
		return fmt.Sprintf("git ignores this folder, by %s (%s): in a clone, generate starts afresh and may move tags", i.Where, i.Rule)
	}
	what := i.Files[0]
	switch more := len(i.Files) - 1; {
	case more == 1:
		what += " and 1 more file"
	case more > 1:
		what += " and " + strconv.Itoa(more) + " more files"
	}
	return fmt.Sprintf(
		"git will not take %s, by %s (%s): a deployment from here has them, and one from a clone does not",
		what,
		i.Where,
		i.Rule,
	)
}

// gitTimeout bounds what is only a note.
const gitTimeout = 20 * time.Second

// IgnoredByGit returns what git will not take of the bundle in dir, in the order of its
// files; dist/ and .databricks/ are not meant to be committed. Where there is no git
// and no repository, or where git ignores the pipeline's own file, too, since nothing
// there is meant for it, there is nothing to say, which is no error.
func IgnoredByGit(ctx context.Context, dir, pipeline string) []Ignored {
	files := committed(dir)
	if len(files) == 0 {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, gitTimeout)
	defer stop()
	all := ignored(ctx, dir, files)
	if len(all) == 1 && len(all[0].Files) == len(files) {
		all[0].Whole = true
	}
	if len(all) > 0 && len(ignored(ctx, filepath.Dir(pipeline), []string{filepath.Base(pipeline)})) > 0 {
		return nil
	}
	return all
}

// ignored asks git which of a folder's files it ignores, and by which rules.
func ignored(ctx context.Context, dir string, files []string) []Ignored {
	// What a repository says about programs to run is not asked for.
	cmd := exec.CommandContext(ctx, "git", "-c", "core.fsmonitor=false", "-C", dir, "check-ignore", "--verbose", "-z", "--stdin")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		// Set where git itself runs bundlegen, in a hook: another repository's, maybe.
		return strings.HasPrefix(v, "GIT_DIR=") || strings.HasPrefix(v, "GIT_WORK_TREE=") || strings.HasPrefix(v, "GIT_INDEX_FILE=")
	})
	cmd.Stdin = strings.NewReader(strings.Join(files, "\x00"))
	var out bytes.Buffer
	cmd.Stdout = &out
	_ = cmd.Run() // 1 = none is ignored, 128 = there is no repository
	var all []Ignored
	at := map[[2]string]int{}
	fields := strings.Split(out.String(), "\x00")
	for ; len(fields) >= 4; fields = fields[4:] {
		where, rule, file := fields[0]+":"+fields[1], fields[2], fields[3]
		if strings.HasPrefix(rule, "!") {
			continue // an exception: git takes it
		}
		i, seen := at[[2]string{where, rule}]
		if !seen {
			i = len(all)
			at[[2]string{where, rule}] = i
			all = append(all, Ignored{Rule: rule, Where: where})
		}
		all[i].Files = append(all[i].Files, file)
	}
	return all
}

// committed lists the files of a bundle that belong into a repository, sorted.
func committed(dir string) []string {
	var files []string
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		relative, relErr := filepath.Rel(dir, name)
		switch {
		case err != nil || relErr != nil:
			return nil // what cannot be read is the business of others
		case d.IsDir() && relative != "." && (relative == "dist" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.Type().IsRegular():
			files = append(files, filepath.ToSlash(relative))
		}
		return nil
	})
	return files
}
