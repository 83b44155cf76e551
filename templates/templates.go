package templates

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"text/template"
)

//go:embed bundle sql dashboards status ci launcher/pi_extractor/*.py
var files embed.FS

// Text is one text and the name of its file.
type Text struct {
	Name string // without a folder
	Data []byte
}

// Pipelines returns the pipelines for continuous integration, sorted by name.
func Pipelines() ([]Text, error) { return folder("ci") }

// Launcher returns the Python modules of the wheel's package, sorted by name.
func Launcher() ([]Text, error) { return folder("launcher/pi_extractor") }

func folder(name string) ([]Text, error) {
	entries, err := fs.ReadDir(files, name)
	if err != nil {
		return nil, err
	}
	var texts []Text
	for _, e := range entries {
		data, err := files.ReadFile(path.Join(name, e.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, Text{Name: e.Name(), Data: data})
	}
	return texts, nil
}

// ReadmeData is what a bundle's README is made of. It holds no counts, so that
// one tag more does not change it.
type ReadmeData struct {
	Name      string
	Jobs      []Job
	Targets   []Target
	Secrets   []Secret
	Queries   []string // names of the files in sql/
	Pools     bool     // the bundle makes instance pools
	Policy    string   // id of the clusters' policy; "" = there is none
	SecretsIn string   // file that names the secrets for serverless compute; "" = clusters have them

	Monitoring Monitoring
}

// Placeholders reports whether a grant has no principal to name.
func (d ReadmeData) Placeholders() bool {
	return slices.ContainsFunc(d.Targets, func(t Target) bool { return t.RunAs == "" })
}

// Monitoring is what watches the jobs.
type Monitoring struct {
	Warehouse       bool // there are alerts and a dashboard
	Told            bool // somebody is told of failures
	MinCompleteness string
	SlowSeconds     int
	Tables          string // file that makes the monitoring tables
}

// Job is one job of the bundle: a tier's.
type Job struct{ Key, Tier, Cadence string }

// Target is one deployment target.
type Target struct {
	Name         string
	Production   bool
	RunAs        string // "" = who deploys
	Catalog      string
	SchemaPrefix string // before the name of each schema; "" = none
	Grant        string // SQL that lets who runs the jobs do so
}

// Secret is a secret that the tasks read from an environment variable.
type Secret struct {
	Env   string
	Scope string // "" = pipeline.yml does not say
	Key   string
	Site  string
	Of    string // what it is for, a key of pipeline.yml below the site: auth.password
}

// Readme renders a bundle's README.
func Readme(data ReadmeData) ([]byte, error) {
	t, err := template.ParseFS(files, "bundle/README.md.tmpl")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("README.md: %w", err)
	}
	return b.Bytes(), nil
}
