// Package docs_test makes those pages of docs/ that say what the code says, and
// compares them: `go test ./docs -update` writes them anew.
package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

var update = flag.Bool("update", false, "write the generated pages anew")

// page compares a generated page with the one that is there.
func page(t *testing.T, file string, want []byte) {
	if *update {
		require.NoError(t, os.WriteFile(file, want, 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err, "go test ./docs -update writes it")
	assert.Equal(t, string(want), string(got), "go test ./docs -update writes it anew")
}

func TestTables(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Tables\n\n" +
		"Every table that the tasks write, in the catalog of pipeline.yml and in schemas that begin with the target's `schema_prefix`.\n" +
		"Columns are only ever added to the right; none is renamed or removed. A local run has the same tables in `lake.duckdb`.\n" +
		"`go test ./docs -update` makes this page from `pipeline/tables`.\n")
	for _, table := range tables.All {
		fmt.Fprintf(&b, "\n## %s.%s\n\n%s.\n\n| column | type | meaning |\n|---|---|---|\n", table.Schema, table.Name,
			sentence(table.Comment))
		for _, c := range table.Columns {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.Type, strings.ReplaceAll(c.Comment, "|", `\|`))
		}
	}
	page(t, "tables.md", b.Bytes())
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// Every link from a page to a file leads somewhere, and so does every path of the
// repository that the architecture names.
func TestLinks(t *testing.T) {
	pages, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, p := range pages {
		if !strings.HasSuffix(p.Name(), ".md") {
			continue
		}
		text, err := os.ReadFile(p.Name())
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(m[1])
			assert.NoError(t, err, "%s: %s", p.Name(), m[1])
		}
	}
}

var source = regexp.MustCompile("`((?:cmd|bundlegen|extractor|pipeline|internal|templates)/[A-Za-z0-9_./-]+)`")

// Every file that the architecture names is there.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	require.NoError(t, err)
	named := source.FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 40)
	for _, m := range named {
		_, err := os.Stat("../" + m[1])
		assert.NoError(t, err, m[1])
	}
}
