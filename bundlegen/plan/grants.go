package plan

import (
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// Grant is what a target's service principal needs before the first run.
type Grant struct {
	Target    string `json:"target"`
	Principal string `json:"service_principal"`
	Catalog   string `json:"catalog"`
	SQL       string `json:"sql"` // to be run by who owns the catalog, or an administrator
}

// GrantSQL is the statement that lets a principal run the jobs: discover makes the
// schemas, tables and the volume that are missing, and who makes them owns them.
func GrantSQL(catalog, principal string) string {
	return fmt.Sprintf("GRANT USE CATALOG, CREATE SCHEMA ON CATALOG %s TO %s;", identifier(catalog), identifier(principal))
}

// identifier quotes a name as SQL takes it.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// grants lists what the service principals of all targets need.
func grants(cfg *config.Pipeline) []Grant {
	all := []Grant{} // an empty list in JSON, not null
	for _, t := range cfg.Targets {
		if t.ServicePrincipal == "" {
			continue
		}
		catalog := cfg.CatalogOf(t)
		all = append(all, Grant{Target: t.Name, Principal: t.ServicePrincipal, Catalog: catalog, SQL: GrantSQL(catalog, t.ServicePrincipal)})
	}
	return all
}
