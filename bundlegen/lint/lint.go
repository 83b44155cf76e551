package lint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/bundle/source"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// Check gives everything that is wrong with the bundle in dir, in order of file
// and position. The error is for what kept it from looking.
func Check(dir string) ([]diag.Problem, error) {
	c := &checker{dir: dir}
	documents, err := c.load()
	if err != nil {
		return nil, err
	}
	if !c.torn { // else everything that the torn file defines would be missing
		for _, d := range documents {
			c.collect(d)
		}
		c.resources()
		c.targets()
		c.references()
		c.wheels()
	}
	slices.SortStableFunc(c.findings, func(a, b diag.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(c.findings), nil
}

// checker holds a bundle's configuration while it is looked at.
type checker struct {
	dir      string
	findings []diag.Problem
	torn     bool // a file could not be parsed

	documents []source.Document
	variables map[string]place            // by name
	kinds     map[string]map[string]place // resources, by kind and key
	order     []place                     // of all resources
	targetsAt []place
	machines  []place // node types
}

// place is a value of the configuration and where it stands.
type place struct {
	file string
	path string
	node *yamlread.Node
	key  string          // the last key of path, if it is one
	at   *yamlread.Entry // of that key
}

func (p place) get(key string) place {
	out := place{file: p.file, path: joinPath(p.path, key), key: key}
	if p.node != nil {
		for i := range p.node.Entries {
			if p.node.Entries[i].Key == key {
				out.node, out.at = p.node.Entries[i].Value, &p.node.Entries[i]
			}
		}
	}
	return out
}

// entries gives a mapping's values, in the file's order.
func (p place) entries() []place {
	if p.node == nil {
		return nil
	}
	var all []place
	for i := range p.node.Entries {
		e := &p.node.Entries[i]
		all = append(all, place{file: p.file, path: joinPath(p.path, e.Key), node: e.Value, key: e.Key, at: e})
	}
	return all
}

// items gives a list's values.
func (p place) items() []place {
	if p.node == nil {
		return nil
	}
	var all []place
	for i, n := range p.node.Items {
		all = append(all, place{file: p.file, path: fmt.Sprintf("%s[%d]", p.path, i), node: n})
	}
	return all
}

func (p place) exists() bool { return p.node != nil }

// text gives a scalar as it is written; "" where there is none.
func (p place) text() string {
	if p.node == nil {
		return ""
	}
	return p.node.Text
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// add reports a value.
func (c *checker) add(p place, message, allowed, hint string) {
	f := diag.Problem{File: c.name(p.file), Allowed: allowed, Hint: hint}
	if p.node != nil {
		f.Line, f.Column, f.Value = p.node.Line, p.node.Column, p.node.Text
	}
	f.Text = said(p.path, f.Value, message)
	c.findings = append(c.findings, f)
}

// addKey reports a key, or what is missing below it.
func (c *checker) addKey(p place, value, message, allowed, hint string) {
	f := diag.Problem{File: c.name(p.file), Value: value, Text: said(p.path, value, message), Allowed: allowed, Hint: hint}
	switch {
	case p.at != nil:
		f.Line, f.Column = p.at.Line, p.at.Column
	case p.node != nil:
		f.Line, f.Column = p.node.Line, p.node.Column
	}
	c.findings = append(c.findings, f)
}

// said is a message about a value at a path of the configuration, such as
// resources.jobs.j.tasks[3].run_if; either may be "".
func said(path, value, message string) string {
	if value != "" {
		message = fmt.Sprintf("%q: %s", value, message)
	}
	if path != "" {
		message = path + ": " + message
	}
	return message
}

func (c *checker) name(file string) string { return filepath.Join(c.dir, filepath.FromSlash(file)) }

// regenerate is what to do where a person would not have written the mistake.
const regenerate = "`bundlegen generate` rewrites the bundle"

// load parses the root and what it includes. What cannot be parsed is a finding.
func (c *checker) load() ([]source.Document, error) {
	root, err := source.Root(c.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.findings = append(c.findings, diag.Problem{File: c.name(source.Roots[0]), Text: "the bundle has no root file",
			Allowed: strings.Join(source.Roots, ", "), Hint: regenerate})
		return nil, nil
	case c.syntax(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	documents := []source.Document{root}
	includes, err := source.Includes(c.dir, root)
	if err != nil {
		return nil, err
	}
	parsed := map[string]bool{root.File: true}
	for i, include := range includes {
		p := place{file: root.File, path: fmt.Sprintf("include[%d]", i), node: include.Pattern}
		if len(include.Files) == 0 {
			c.add(p, "matches no file", "", regenerate)
		}
		for _, file := range include.Files {
			if !source.IsYAML(file) {
				c.add(p, "matches "+file+", which is not YAML", "*.yml, *.yaml", "name the files, or end the pattern in .yml")
				continue
			}
			if parsed[file] {
				continue
			}
			parsed[file] = true
			d, err := source.Parse(c.dir, file)
			if c.syntax(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			documents = append(documents, d)
		}
	}
	return documents, nil
}

// syntax turns an error of the YAML reader into findings.
func (c *checker) syntax(err error) bool {
	var problems *diag.List
	if !errors.As(err, &problems) {
		return false
	}
	c.torn = true
	for _, p := range problems.Problems {
		p.Hint = regenerate
		c.findings = append(c.findings, p)
	}
	return true
}

// collect sorts what a file says by what it is.
func (c *checker) collect(d source.Document) {
	root := place{file: d.File, node: d.Tree}
	c.documents = append(c.documents, d)
	if c.variables == nil {
		c.variables, c.kinds = map[string]place{}, map[string]map[string]place{}
	}
	for _, v := range root.get("variables").entries() {
		c.keyName(v)
		if first, taken := c.variables[v.key]; taken {
			c.addKey(v, v.key, "the variable is defined in "+first.file+" too", "", "leave one of them out")
		}
		c.variables[v.key] = v
	}
	for _, kind := range root.get("resources").entries() {
		if c.kinds[kind.key] == nil {
			c.kinds[kind.key] = map[string]place{}
		}
		for _, r := range kind.entries() {
			c.keyName(r)
			if first, taken := c.kinds[kind.key][r.key]; taken {
				c.addKey(r, r.key, "the resource is defined in "+first.file+" too", "", "leave one of them out")
			}
			c.kinds[kind.key][r.key] = r
			c.order = append(c.order, r)
		}
	}
	c.targetsAt = append(c.targetsAt, root.get("targets").entries()...)
	c.enum(root.get("bundle").get("engine"), "direct", "terraform")
}
