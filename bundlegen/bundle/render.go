package bundle

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/bundlegen/bundlegen/templates"
)

// Render makes the bundle of a plan around its Jobs. It reads nothing but the
// certificates and Kerberos configurations that cfg names, and writes nothing. The
// same arguments give the same bytes.
func Render(cfg *config.Pipeline, p *plan.Plan, jobs File) (*Tree, error) {
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
		Pipelines:       rowKeys(cfg),
		Sites:           cfg.OwnSites(),
		MinCompleteness: cfg.Monitoring.MinCompleteness,
		SlowSeconds:     slowSeconds(p),
		Overdue:         overdue(p),
	})
	if err != nil {
		return nil, err
	}
	readme, err := templates.Readme(readmeData(cfg, p, queries))
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

// readmeData says what the bundle's README tells of it.
func readmeData(cfg *config.Pipeline, p *plan.Plan, queries []templates.Text) templates.ReadmeData {
	data := templates.ReadmeData{Name: cfg.Name, Pools: makesPools(cfg), Policy: cfg.Compute.PolicyID, Monitoring: templates.Monitoring{
		Warehouse:       watches(cfg),
		Told:            len(cfg.Monitoring.Emails)+len(cfg.Monitoring.Webhooks) > 0,
		MinCompleteness: strconv.FormatFloat(100*cfg.Monitoring.MinCompleteness, 'g', 6, 64) + "%",
		SlowSeconds:     slowSeconds(p),
		Tables:          path.Join(sqlFolder, templates.MonitoringTables().Name),
	}}
	if cfg.Compute.Serverless {
		data.SecretsIn = secretsFile
	}
	for _, t := range p.Tiers {
		data.Jobs = append(data.Jobs, templates.Job{Key: t.JobKey, Tier: t.Name, Cadence: cadence(t)})
	}
	if len(p.Tiers) > 0 && p.Tiers[0].Continuous {
		data.Jobs = append(data.Jobs, templates.Job{Key: maintenanceKey(cfg), Tier: "of all", Cadence: "every hour, to compact and optimize"})
	}
	for _, t := range cfg.Targets {
		catalog := cfg.CatalogOf(t)
		data.Targets = append(data.Targets, templates.Target{
			Name: t.Name, Production: t.Production, RunAs: t.ServicePrincipal,
			Catalog: catalog, SchemaPrefix: t.SchemaPrefix,
			Grant: plan.GrantSQL(catalog, cmp.Or(t.ServicePrincipal, "<who deploys "+t.Name+">")),
		})
	}
	for _, s := range config.Secrets(cfg.Sites) {
		scope, key, _ := strings.Cut(s.Secret.Secret, "/")
		data.Secrets = append(data.Secrets, templates.Secret{Env: s.Secret.Env, Scope: scope, Key: key, Site: s.Site, Of: s.Key})
	}
	for _, q := range queries {
		data.Queries = append(data.Queries, q.Name)
	}
	return data
}

// cadence returns when a tier's job runs.
func cadence(t plan.Tier) string {
	if t.Continuous {
		return "without an end, a loop " + words.Every(t.Every)
	}
	if t.Every == 0 {
		return fmt.Sprintf("by cron `%s`, UTC", t.Cron)
	}
	return words.Every(t.Every)
}

// bytesPerRow is a guess that saves growing a manifest while it is written.
const bytesPerRow = 80

// manifestFiles renders the partitions, on all processors.
func manifestFiles(partitions []plan.Partition) ([]File, error) {
	files := make([]File, len(partitions))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, part := range partitions {
		g.Go(func() error {
			defer crash.Exit()
			size := len(inventory.Header) + bytesPerRow*len(part.Members)
			data, err := manifest.Append(make([]byte, 0, size), part.Members)
			files[i] = File{Path: path.Join(manifest.Folder, manifest.FileName(part.ID)), Data: data}
			return err
		})
	}
	return files, g.Wait()
}

// leftOutFiles renders the rows of tier none, which discover must not take for new
// points; nothing where there are none.
func leftOutFiles(left []inventory.Tag) ([]File, error) {
	if len(left) == 0 {
		return nil, nil
	}
	var data bytes.Buffer
	err := inventory.Write(&data, left)
	return []File{{Path: path.Join(manifest.Folder, manifest.LeftOutFile), Data: data.Bytes()}}, err
}
