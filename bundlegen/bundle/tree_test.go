package bundle_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
)

func written(t *testing.T, partitions int) (string, *bundle.Tree) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundles", "osipi_connector")
	cfg := pipeline(dir)
	tree := render(t, cfg, planOf(cfg, partitions))
	require.NoError(t, tree.Write(dir))
	return dir, tree
}

// contents gives every file of a folder, and when it was changed.
func contents(t *testing.T, dir string) (map[string]string, map[string]time.Time) {
	t.Helper()
	texts, times := map[string]string{}, map[string]time.Time{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		require.NoError(t, err)
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		texts[filepath.ToSlash(rel)], times[filepath.ToSlash(rel)] = string(data), info.ModTime()
		return nil
	}))
	return texts, times
}

func TestWriteGivesTheTreeAndNothingElse(t *testing.T) {
	dir, tree := written(t, 3)
	texts, _ := contents(t, dir)
	require.Len(t, texts, len(tree.Files()))
	for _, f := range tree.Files() {
		require.Equal(t, string(f.Data), texts[f.Path], f.Path)
	}
	differences, err := tree.Compare(dir)
	require.NoError(t, err)
	require.Empty(t, differences)
}

func TestRenderDoesNotDependOnTheFolder(t *testing.T) {
	a, b := pipeline(t.TempDir()), pipeline(t.TempDir())
	b.File = filepath.Join(b.Dir, "other.yml")
	require.Equal(t, render(t, a, planOf(a, 4)).Files(), render(t, b, planOf(b, 4)).Files())
}

func TestWriteTouchesOnlyWhatDiffers(t *testing.T) {
	dir, _ := written(t, 3)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "dist"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dist", "a.whl"), []byte("wheel"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644))
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	texts, _ := contents(t, dir)
	for name := range texts {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), old, old))
	}

	cfg := pipeline(dir)
	p := planOf(cfg, 3)
	p.Partitions[1].Members = p.Partitions[1].Members[:2] // one tag less
	tree := render(t, cfg, p)
	differences, err := tree.Compare(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"partitions/partition-0001.csv (changed)", "plan.json (changed)"}, lines(differences))
	require.Contains(t, differences[0].Unified(), "\n-plant-a,\"TAG, \"\"1\"\" 2\"")
	require.Contains(t, differences[0].UnifiedByHand(), "\n+plant-a,\"TAG, \"\"1\"\" 2\"")

	require.NoError(t, tree.Write(dir))
	after, times := contents(t, dir)
	for name, changed := range times {
		if name == "partitions/partition-0001.csv" || name == "plan.json" {
			require.NotEqual(t, old, changed, name)
		} else {
			require.Equal(t, old, changed.Truncate(time.Second), name)
		}
	}
	require.Equal(t, "wheel", after["dist/a.whl"])
	require.Equal(t, "mine", after["notes.txt"])
}

func TestWriteRemovesWhatIsNoLongerPartOfTheBundle(t *testing.T) {
	dir := t.TempDir()
	cfg := pipeline(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(certificate), 0o644))
	cfg.Sites[0].TLS = config.TLS{CAFile: "ca.pem"}
	out := filepath.Join(dir, "out")
	require.NoError(t, render(t, cfg, planOf(cfg, 4)).Write(out))
	require.FileExists(t, filepath.Join(out, "certs", "plant-a.pem"))
	stray := filepath.Join(out, "partitions", "partition-0099.csv") // the tasks would take it for a partition
	require.NoError(t, os.WriteFile(stray, nil, 0o644))

	cfg.Sites[0].TLS = config.TLS{}
	tree := render(t, cfg, planOf(cfg, 2))
	differences, err := tree.Compare(out)
	require.NoError(t, err)
	require.Subset(t, lines(differences), []string{
		"certs/plant-a.pem (extra)", "partitions/partition-0002.csv (extra)",
		"partitions/partition-0003.csv (extra)", "partitions/partition-0099.csv (extra)",
	})
	require.NoError(t, tree.Write(out))
	texts, _ := contents(t, out)
	require.Len(t, texts, len(tree.Files()))
	require.NoDirExists(t, filepath.Join(out, "certs"))
}

func TestWriteHealsWhatAKilledOneLeft(t *testing.T) {
	dir, tree := written(t, 2)
	left := filepath.Join(dir, ".bundlegen-123")
	require.NoError(t, os.Mkdir(left, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(left, "0"), []byte("half"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, bundle.RootFile), []byte("half"), 0o644))
	require.NoError(t, tree.Write(dir))
	require.NoDirExists(t, left)
	texts, _ := contents(t, dir)
	require.Len(t, texts, len(tree.Files()))
}

// TestWriteOnAFullDisk is the process that TestWriteThatFails… starts: a limit on
// the size of files makes writing fail in the middle, as a full disk does.
func TestWriteOnAFullDisk(t *testing.T) {
	dir := os.Getenv("BUNDLE_TEST_DIR")
	if dir == "" {
		dir = t.TempDir()
	} else {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 2000, Max: 2000}))
	}
	cfg := pipeline(dir)
	cfg.Catalog = "other"
	require.NoError(t, render(t, cfg, planOf(cfg, 3)).Write(dir))
}

func TestWriteThatFailsLeavesTheOldBundleWhole(t *testing.T) {
	dir, _ := written(t, 2)
	fresh := filepath.Join(t.TempDir(), "a", "b")
	before, times := contents(t, dir)
	for _, d := range []string{dir, fresh} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriteOnAFullDisk$")
		cmd.Env = append(os.Environ(), "BUNDLE_TEST_DIR="+d)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "writing the bundle to "+d)
		require.Contains(t, string(out), "file too large")
	}
	after, timesAfter := contents(t, dir)
	require.Equal(t, before, after)
	require.Equal(t, times, timesAfter)
	require.NoDirExists(t, fresh, "where there was nothing, nothing stays")
}

func TestWriteToAFileSaysSo(t *testing.T) {
	cfg := pipeline(".")
	file := filepath.Join(t.TempDir(), "bundles")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.ErrorContains(t, render(t, cfg, planOf(cfg, 1)).Write(filepath.Join(file, "x")), "not a directory")
}

func TestHandEditedTellsEditsFromAChangedConfiguration(t *testing.T) {
	dir, _ := written(t, 3)
	edited := func() []string {
		t.Helper()
		d, err := bundle.HandEdited(dir)
		require.NoError(t, err)
		return lines(d)
	}
	require.Empty(t, edited())

	// Another configuration alone is no edit.
	cfg := pipeline(dir)
	cfg.Catalog = "other"
	differences, err := render(t, cfg, planOf(cfg, 3)).Compare(dir)
	require.NoError(t, err)
	require.NotEmpty(t, differences)
	require.Empty(t, edited())

	// Files that no bundle owns are nobody's business; dist/ is made anew.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "dist"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dist", "x.whl"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644))
	require.Empty(t, edited())

	appendTo(t, filepath.Join(dir, bundle.JobsFile), "# faster\n")
	require.NoError(t, os.Remove(filepath.Join(dir, "partitions", "partition-0001.csv")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "partitions", "partition-0007.csv"), nil, 0o644))
	require.Equal(t, []string{
		"databricks-loadbalanced.yml (changed)", "partitions/partition-0001.csv (missing)", "partitions/partition-0007.csv (extra)",
	}, edited())

	appendTo(t, filepath.Join(dir, bundle.PlanFile), " ")
	require.Equal(t, []string{"plan.json (changed)"}, edited(), "a hash that may have been edited too proves nothing")
	require.NoError(t, os.Remove(filepath.Join(dir, bundle.PlanFile)))
	require.Equal(t, []string{"plan.json (missing)"}, edited())
}

func TestHandEditedOfNothing(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dist"), 0o755))
	for _, d := range []string{dir, filepath.Join(dir, "not there")} {
		edited, err := bundle.HandEdited(d)
		require.NoError(t, err)
		require.Empty(t, edited)
	}
}

func TestRecordHoldsThePlan(t *testing.T) {
	dir, tree := written(t, 2)
	r, err := bundle.ReadRecord(dir)
	require.NoError(t, err)
	require.Equal(t, "0123456789abcdef", r.ID)
	require.Len(t, r.Files, len(tree.Files())-1, "every file but itself")
	appendTo(t, filepath.Join(dir, bundle.PlanFile), "}")
	_, err = bundle.ReadRecord(dir)
	require.ErrorContains(t, err, "hint: ")
}

func lines(differences []bundle.Difference) []string {
	var all []string
	for _, d := range differences {
		all = append(all, d.String())
	}
	return all
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
