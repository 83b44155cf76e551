package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
)

// maxSites is the size of the largest sites.json that is read, in bytes: thousands of
// sites take less.
const maxSites = 16 << 20

// WriteSites writes sites.json: of this program's version, whatever s.Version
// says, indented, the sites in the order given. The same sites make the same bytes.
func WriteSites(w io.Writer, s Sites) error {
	s.Version = SitesVersion
	if err := s.check(); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // a person reads it
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// ReadSites reads sites.json, strictly: an unknown key, a version that this
// program does not know, and a site that is not whole are errors. file is its
// name for errors, which never show a value of the file but names and kinds.
func ReadSites(r io.Reader, file string) (Sites, error) {
	data, err := regular.ReadAll(r, maxSites)
	if err != nil {
		return Sites{}, fmt.Errorf("%s: %w", file, err)
	}
	// The version first: what a newer program wrote may be wrong in our eyes.
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Sites{}, jsonError(file, data, err)
	}
	switch {
	case head.Version == nil:
		return Sites{}, diag.WithHint(fmt.Errorf("%s:1:1: the version is missing; allowed: %d", file, SitesVersion),
			"rewrite the file with `bundlegen generate`")
	case *head.Version > SitesVersion:
		return Sites{}, diag.WithHint(
			fmt.Errorf("%s:1:1: version %d is newer than this program, which knows %d", file, *head.Version, SitesVersion),
			"install the bundlegen that wrote the bundle, or a newer one; on Databricks, deploy again so that bundle and wheel are of one version",
		)
	case *head.Version != SitesVersion:
		return Sites{}, diag.WithHint(fmt.Errorf("%s:1:1: version %d; allowed: %d", file, *head.Version, SitesVersion),
			"rewrite the file with `bundlegen generate`")
	}
	var s Sites
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return Sites{}, jsonError(file, data, err)
	}
	if err := s.check(); err != nil {
		return Sites{}, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// authKinds are the values of Auth.Kind.
func authKinds() []string { return []string{"basic", "bearer", "kerberos", "anonymous"} }

// check returns what a task could not work with.
func (s Sites) check() error {
	const hint = "rewrite the file with `bundlegen generate`"
	names := map[string]bool{}
	for i, site := range s.Sites {
		switch a := site.Auth; {
		case site.Name == "":
			return diag.WithHint(fmt.Errorf("site %d has no name", i+1), hint)
		case names[site.Name]:
			return diag.WithHint(fmt.Errorf("site %q is there twice", site.Name), hint)
		case site.URL == "":
			return diag.WithHint(fmt.Errorf("site %q has no url", site.Name), hint)
		case !slices.Contains(authKinds(), a.Kind):
			return diag.WithHint(fmt.Errorf("site %q: unknown auth kind %q; allowed: %s", site.Name, a.Kind, strings.Join(authKinds(), ", ")), hint)
		case site.Limits.RequestsPerSecond <= 0 || site.Limits.Connections < 1 || site.Limits.ItemsPerCall < 1:
			return diag.WithHint(fmt.Errorf("site %q: limits have to be above 0", site.Name), hint)
		case site.Retry.Attempts < 1 || site.Retry.BackoffSeconds < 0 || site.Retry.TimeoutSeconds <= 0:
			return diag.WithHint(
				fmt.Errorf("site %q: retry has to have at least 1 attempt, a backoff of at least 0 s and a timeout above 0 s", site.Name),
				hint,
			)
		}
		if err := site.Points.check(); err != nil {
			return diag.WithHint(fmt.Errorf("site %q: %w", site.Name, err), hint)
		}
		names[site.Name] = true
	}
	return nil
}

// jsonError adds where in the file an error of encoding/json is.
func jsonError(file string, data []byte, err error) error {
	line, column, what := ExplainJSON(data, err)
	return diag.WithHint(fmt.Errorf("%s:%d:%d: %s", file, line, column, what),
		"the file is written by `bundlegen generate`; run it again")
}

// ExplainJSON adds where in data an error of encoding/json is, line and column
// from 1, and what is wrong there, without a value of the file.
func ExplainJSON(data []byte, err error) (line, column int, what string) {
	at := int64(-1)
	what = err.Error()
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at = syntax.Offset
	} else if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		at, what = wrong.Offset, fmt.Sprintf("key %s is of another type; allowed: %s", wrong.Field, wrong.Type)
	} else if _, key, ok := strings.Cut(what, "unknown field "); ok {
		at, what = int64(bytes.Index(data, []byte(key+":"))), "unknown key "+key
	}
	if at < 0 || at > int64(len(data)) {
		at = 0
	}
	before := data[:at]
	line = 1 + bytes.Count(before, []byte("\n"))
	column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return line, column, what
}
