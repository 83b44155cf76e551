package examples

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/lint"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// TestBundlesAreWhatTheExamplesGive regenerates every example, as if there
// were no bundle yet, and compares it with the committed one, byte for byte.
// After a change that is meant: make generate-examples.
func TestBundlesAreWhatTheExamplesGive(t *testing.T) {
	for _, e := range examples {
		t.Run(e.folder, func(t *testing.T) {
			cfg, tags := e.load(t), e.tags()
			partitions := 0
			for _, part := range bundlesOf(cfg) {
				planned := e.checkBundle(t, part, tags, partitions)
				partitions += len(planned.Partitions)
				if e.region == part.Region {
					e.checkReadme(t, part, planned)
				}
			}
			require.Equal(t, e.partitions, partitions)
		})
	}
}

// bundlesOf returns the pipeline of each bundle: there is one a region.
func bundlesOf(cfg *config.Pipeline) []*config.Pipeline {
	parts := []*config.Pipeline{}
	for _, r := range cfg.Regions() {
		parts = append(parts, cfg.InRegion(r))
	}
	if len(parts) == 0 {
		return append(parts, cfg)
	}
	return parts
}

// checkBundle checks one bundle, whose partitions have ids from first on.
func (e example) checkBundle(t *testing.T, cfg *config.Pipeline, tags []inventory.Tag, first int) *plan.Plan {
	t.Helper()
	fresh, planned := emit(t, cfg, tags, nil, first)
	if e.check != nil {
		e.check(t, planned)
	}
	if e.hash {
		e.checkHash(t, fresh)
		return planned
	}
	if *update {
		require.NoError(t, fresh.Write(cfg.BundleDir()))
	}
	require.Empty(t, e.differences(t, fresh, cfg.BundleDir()), "make generate-examples, and look at the difference")

	dir := t.TempDir()
	require.NoError(t, fresh.Write(dir))
	previous, err := plan.ReadPrevious(dir)
	require.NoError(t, err)
	again, _ := emit(t, cfg, tags, previous, first)
	differences, err := again.Compare(dir)
	require.NoError(t, err)
	require.Empty(t, differences, "generate twice changes nothing")

	findings, err := lint.Check(dir)
	require.NoError(t, err)
	require.Empty(t, findings)
	return planned
}

// checkHash compares a bundle that is too large to be committed by the hash of its
// files, and lints it without its manifests, which lint does not look at.
func (e example) checkHash(t *testing.T, tree *bundle.Tree) {
	t.Helper()
	sum, dir := sha256.New(), t.TempDir()
	for _, f := range tree.Files() {
		fmt.Fprintf(sum, "%s\x00%d\x00", f.Path, len(f.Data))
		sum.Write(f.Data)
		if filepath.Dir(f.Path) == "." {
			require.NoError(t, os.WriteFile(filepath.Join(dir, f.Path), f.Data, 0o644))
		}
	}
	file, made := filepath.Join(e.folder, "bundle.sha256"), fmt.Sprintf("%x\n", sum.Sum(nil))
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(made), 0o644))
	}
	committed, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(committed), made, "make generate-examples, and look at what the README says then")
	findings, err := lint.Check(dir)
	require.NoError(t, err)
	require.Empty(t, findings)
	b, err := bundle.Read(dir)
	require.NoError(t, err)
	require.Len(t, b.Roots(), 2)
	require.Len(t, b.Jobs, 4, "a parent, two children, and the doctor's")
}

func emit(t *testing.T, cfg *config.Pipeline, tags []inventory.Tag, previous *plan.Previous, first int) (*bundle.Tree, *plan.Plan) {
	t.Helper()
	own := tags
	if cfg.Region != "" {
		own = nil
	}
	for _, tag := range tags {
		if cfg.Region != "" && slices.ContainsFunc(cfg.Sites, func(s config.Site) bool { return s.Name == tag.Site }) {
			own = append(own, tag)
		}
	}
	p, err := plan.Build(cfg, plantest.Inventory(cfg, own), previous, plan.Options{FirstID: first})
	require.NoError(t, err)
	jobs, err := bundle.Jobs(cfg, p)
	require.NoError(t, err)
	tree, err := bundle.Render(cfg, p, jobs)
	require.NoError(t, err)
	return tree, p
}

// differences compares a bundle with the committed folder. Manifests that are not
// committed are left aside: plan.json, which is, has their hashes.
func (e example) differences(t *testing.T, tree *bundle.Tree, dir string) []bundle.Difference {
	t.Helper()
	all, err := tree.Compare(dir)
	require.NoError(t, err)
	var out []bundle.Difference
	for _, d := range all {
		if e.whole || d.Kind != bundle.Missing || !strings.HasPrefix(d.Path, manifest.Folder+"/") {
			out = append(out, d)
		}
	}
	return out
}

// checkReadme compares what an example's README quotes with what there is: its
// ```yaml block is pipeline.yml, with "# …" in the place of lines left out, and its
// ```text block what `bundlegen plan` prints where there is no bundle yet.
func (e example) checkReadme(t *testing.T, cfg *config.Pipeline, p *plan.Plan) {
	t.Helper()
	var shown bytes.Buffer
	require.NoError(
		t,
		report.Text(&shown, report.Report{Plan: p, Changes: plan.Diff(nil, p), Next: "bundlegen generate" + e.flags()}, report.Options{}),
	)
	file := filepath.Join(e.folder, "README.md")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	readme := string(data)
	if *update {
		_, old := block(t, readme, "text")
		readme = strings.Replace(readme, "```text\n"+old, "```text\n"+shown.String(), 1)
		require.NoError(t, os.WriteFile(file, []byte(readme), 0o644))
	}
	_, text := block(t, readme, "text")
	require.Equal(t, shown.String(), text, "`go test ./examples -update` writes what the plan says into %s", file)

	quoted, _ := block(t, readme, "yaml")
	source, err := os.ReadFile(cfg.File)
	require.NoError(t, err)
	rest := string(source)
	for _, line := range quoted {
		if strings.TrimSpace(line) == "# …" {
			continue
		}
		_, after, found := strings.Cut("\n"+rest, "\n"+line+"\n")
		require.True(t, found, "%s quotes a line that %s does not have there: %q", file, cfg.File, line)
		rest = after
	}
}

// block returns the content of a README's fenced block of a language, as lines and as it is.
func block(t *testing.T, readme, language string) (lines []string, content string) {
	t.Helper()
	_, rest, found := strings.Cut(readme, "```"+language+"\n")
	require.True(t, found, "the README has no ```%s block", language)
	content, _, found = strings.Cut(rest, "```\n")
	require.True(t, found, "the README's ```%s block has no end", language)
	return strings.Split(strings.TrimSuffix(content, "\n"), "\n"), content
}

// flags is what the README gives `bundlegen plan`.
func (e example) flags() string {
	if e.region == "" {
		return ""
	}
	return " --region " + e.region
}
