package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/cli"
)

// A failing command says the same on stderr whatever the format, and as JSON on
// stdout what its text is made of.
func TestProblemsAsJSON(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yml")
	require.NoError(t, os.WriteFile(bad, []byte("version: 1\nname: demo\ncatalog: main\ntiers: [{name: a, every: often}]\n"+
		"sites: [{name: a, url: https://pi.example, auth: {kind: basics, username: u, password: hunter2}}]\n"), 0o644))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a file with faults": {[]string{"plan", "-c", bad}, `{"version": 1, "problems": [
			{"file": "FILE", "line": 4, "column": 26, "value": "often", "text": "tiers[0].every: \"often\"",
				"allowed": "a duration from 10s to 7d, such as 30s, 5m, 1h30m or 1d",
				"hint": "write whole numbers, each with its unit (ms, s, m, h, d), the longest first"},
			{"file": "FILE", "line": 5, "column": 57, "value": "basics", "text": "sites[0].auth.kind: \"basics\"",
				"allowed": "basic, bearer, kerberos, anonymous", "hint": "did you mean basic?"},
			{"file": "FILE", "line": 5, "column": 88,
				"text": "sites[0].auth.password is not a mapping; a secret is the name of an environment variable and a scope/key, never a value",
				"hint": "write password: {env: PI_A_PASSWORD, secret: scope/key}; if a secret stands in the file now, change the secret"}]}`},
		"no file": {[]string{"compare", "-c", filepath.Join(dir, "none.yml")}, `{"version": 1, "problems": [
			{"file": "` + filepath.Join(dir, "none.yml") + `", "text": "there is no such file",
				"hint": "` + "`bundlegen init --server URL`" + ` writes one; -c names another"}]}`},
		"no argument": {[]string{"explain"}, `{"version": 1, "problems": [
			{"text": "which tag?", "hint": "bundlegen explain TAG; a name that begins with - comes after --"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(args ...string) (stdout, stderr string) {
				var out, said strings.Builder
				code := cli.Main(t.Context(), append([]string{"bundlegen"}, args...),
					cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &said})
				require.Equal(t, 1, code)
				return out.String(), said.String()
			}
			stdout, asText := run(c.args...)
			require.Empty(t, stdout)
			stdout, stderr := run(append(c.args, "--output", "json")...)
			require.JSONEq(t, strings.ReplaceAll(c.want, "FILE", bad), stdout)
			require.Equal(t, asText, stderr)
			require.NotContains(t, stdout+stderr, "hunter2")
		})
	}
}
