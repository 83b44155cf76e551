package bundle

import (
	"fmt"
	"path"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/templates"
)

// Render makes the bundle of a plan. It reads nothing but the certificates and
// Kerberos configurations that cfg names, and writes nothing. The same arguments
// give the same bytes.
func Render(cfg *config.Pipeline, p *plan.Plan) (*Tree, error) {
	jobs, err := jobsFile(cfg, p)
	if err != nil {
		return nil, err
	}
	sites, notes, err := siteFiles(cfg)
	if err != nil {
		return nil, err
	}
	manifests, err := manifestFiles(p.Partitions)
	if err != nil {
		return nil, err
	}
	left, err := leftOutFiles(p.Left)
	if err != nil {
		return nil, err
	}
	monitoring, err := monitoringFiles(cfg, p)
	if err != nil {
		return nil, err
	}
	texts, err := textFiles(cfg, p)
	if err != nil {
		return nil, err
	}

	files := append([]File{jobs}, sites...)
	files = append(files, manifests...)
	files = append(files, left...)
	files = append(files, monitoring...)
	files = append(files, texts...)
	root, err := rootFile(cfg, p, included(files))
	if err != nil {
		return nil, err
	}
	files = append(files, root)
	record, err := recordFile(p, files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", PlanFile, err)
	}
	tree := newTree(append(files, record))
	tree.notes = notes
	return tree, nil
}

const sqlFolder = "sql"

// textFiles renders what a bundle carries for people: its README, queries, and
// what keeps git from changing or committing the wrong files.
func textFiles(cfg *config.Pipeline, p *plan.Plan) ([]File, error) {
	queries, err := templates.Queries(templates.Reader{
		Pipelines: rowKeys(cfg), Sites: cfg.OwnSites(), MinCompleteness: cfg.Monitoring.MinCompleteness, SlowSeconds: slowSeconds(p), Overdue: overdue(p),
	})
	if err != nil {
		return nil, err
	}
	data, err := readmeData(cfg, p, queries)
	if err != nil {
		return nil, err
	}
	readme, err := templates.Readme(data)
	if err != nil {
		return nil, err
	}
	files := []File{
		{Path: "README.md", Data: readme},
		// The wheel is uploaded as an artifact; a deploy must not upload it once more as a file.
		{Path: ".gitignore", Data: []byte("dist/\n.databricks/\n")},
		// Line ends that git converts would make every file look edited by hand.
		{Path: ".gitattributes", Data: []byte("* -text\n")},
	}
	for _, q := range append(queries, templates.MonitoringTables()) {
		files = append(files, File{Path: path.Join(sqlFolder, q.Name), Data: q.Data})
	}
	return files, nil
}
