package bundle

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/templates"
)

// readmeData says what the bundle's README tells of it.
func readmeData(cfg *config.Pipeline, p *plan.Plan, queries []templates.Text) (templates.ReadmeData, error) {
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
	secrets, err := secretsOfAll(cfg.Sites)
	if err != nil {
		return data, err
	}
	for _, s := range secrets {
		scope, key, _ := strings.Cut(s.Secret, "/")
		data.Secrets = append(data.Secrets, templates.Secret{Env: s.Env, Scope: scope, Key: key, Site: s.Site, Of: s.Key})
	}
	for _, q := range queries {
		data.Queries = append(data.Queries, q.Name)
	}
	return data, nil
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
