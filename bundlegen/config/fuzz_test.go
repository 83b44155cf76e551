package config

import (
	"strings"
	"testing"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// FuzzLoad: whatever the bytes, an answer comes, and every problem has a place
// in the file and a hint.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		shortest, string(Template("https://pi.example")), "a: &a [*a]", "<<: {<<: {a: 1}}", "{", "\t", "? - : ", "a: !!int x", "a: |\n  x\n y",
		"- - - -", "a: *b", "%YAML 9.9\n---\n", "a: \"\\xff\"", "sites: [{auth: {password: &x {env: *x}}}]", "\ufeff", "---\n---\n", "!!map {}", "version: !!float 1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := read(data, "p.yml")
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if err == nil {
			return
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, problem := range err.(*diag.List).Problems {
			if problem.Line < 1 || problem.Line > lines+1 || problem.Column < 1 || problem.Hint == "" || strings.ContainsAny(problem.Text, "\n\r") {
				t.Fatalf("%+v", problem)
			}
		}
	})
}
