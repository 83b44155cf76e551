package workspace

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/catalog"
	workspacefiles "github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// secrets reports whether each secret is there, and the runner may read it.
func (c *checker) secrets(ctx context.Context) []doctor.Finding {
	byScope := map[string][]string{}
	for _, s := range c.needs.Secrets {
		if !slices.Contains(byScope[s.Scope], s.Key) {
			byScope[s.Scope] = append(byScope[s.Scope], s.Key)
		}
	}
	var found []doctor.Finding
	for _, scope := range slices.Sorted(maps.Keys(byScope)) {
		found = append(found, c.scope(ctx, scope, byScope[scope])...)
	}
	return found
}

func (c *checker) scope(ctx context.Context, scope string, keys []string) []doctor.Finding {
	var found []doctor.Finding
	have, err := c.client.Secrets.ListSecretsAll(ctx, workspacefiles.ListSecretsRequest{Scope: scope})
	switch {
	case err != nil && missing(err):
		f := doctor.Finding{Check: "secret_scope", Subject: scope, State: doctor.Fail,
			What: "there is no such secret scope: no cluster that names it starts"}
		cures := []string{createScope(scope)}
		for _, key := range keys {
			cures = append(cures, putSecret(scope, key))
		}
		if c.needs.Principal != "" {
			cures = append(cures, readScope(scope, c.runner.name))
		}
		f.Cure = lines(cures...)
		return []doctor.Finding{f}
	case err != nil:
		found = append(found, skipped("secret", scope, "the keys of the scope", err))
	default:
		for _, key := range keys {
			f := doctor.Finding{Check: "secret", Subject: scope + "/" + key, State: doctor.OK, What: "the secret is there"}
			if !slices.ContainsFunc(have, func(s workspacefiles.SecretMetadata) bool { return s.Key == key }) {
				f.State, f.What = doctor.Fail, "the scope has no such key: no cluster that names it starts"
				f.Cure = lines(putSecret(scope, key))
			}
			found = append(found, f)
		}
	}
	acl, err := c.client.Secrets.ListAclsAll(ctx, workspacefiles.ListAclsRequest{Scope: scope})
	if err != nil {
		return append(found, skipped("secret_acl", scope, "who may read the scope", err))
	}
	f := doctor.Finding{Check: "secret_acl", Subject: scope, State: doctor.OK, What: c.runner.name + " may read the scope"}
	if !slices.ContainsFunc(acl, func(a workspacefiles.AclItem) bool { return c.runner.is(a.Principal) }) {
		f = c.runner.refused(
			f,
			c.runner.name+" may not read the scope: no cluster that it starts has these secrets",
			readScope(scope, c.runner.name),
		)
	}
	return append(found, f)
}

// catalog reports whether the tables may be made there.
func (c *checker) catalog(ctx context.Context) []doctor.Finding {
	name := c.needs.Catalog
	f := doctor.Finding{Check: "catalog", Subject: name, State: doctor.OK, What: "the catalog is there"}
	if name == "hive_metastore" || name == "spark_catalog" {
		f.State, f.What = doctor.Fail, "this catalog is not of Unity Catalog: it has no volumes, where the tasks stage events"
		f.Cure = lines(inPipeline("catalog: one that `databricks catalogs list` shows"))
		return []doctor.Finding{f}
	}
	info, err := c.client.Catalogs.Get(ctx, catalog.GetCatalogRequest{Name: name})
	switch {
	case err != nil && missing(err):
		f.State, f.What = doctor.Fail, "there is no such catalog, or it is not bound to this workspace"
		f.Cure = lines(createCatalog(name), inPipeline("or name one as catalog that `databricks catalogs list` shows"))
		return []doctor.Finding{f}
	case err != nil:
		return []doctor.Finding{skipped("catalog", name, "the catalog", err)}
	}
	f.Detail = fmt.Sprintf("owner %s, isolation %s", info.Owner, cmp.Or(string(info.IsolationMode), "not told"))
	if info.StorageRoot != "" {
		f.Detail += ", storage of its own"
	}
	if p := info.EffectivePredictiveOptimizationFlag; p != nil {
		f.Detail += ", predictive optimization " + string(p.Value)
	}
	switch info.CatalogType {
	case "", catalog.CatalogTypeManagedCatalog:
	default:
		f.State, f.What = doctor.Fail, fmt.Sprintf("the catalog is a %s: no schema can be made in it", info.CatalogType)
		f.Cure = lines(inPipeline("catalog: one of your own"))
		return []doctor.Finding{f}
	}
	return append([]doctor.Finding{f}, c.grants(ctx, info.Owner)...)
}

// inSchema is what the tasks do in each schema that is there already.
var inSchema = []string{"USE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE"}

// grants compares what the runner may do in the catalog and in the schemas that are
// there with what the tasks do.
func (c *checker) grants(ctx context.Context, owner string) []doctor.Finding {
	name := c.needs.Catalog
	have, err := c.effective(ctx, "catalog", name)
	if err != nil {
		return []doctor.Finding{skipped("grants", name, "the grants of the catalog", err)}
	}
	var found []doctor.Finding
	absent := 0
	for _, schema := range tables.Schemas {
		full := name + "." + c.needs.SchemaPrefix + schema
		info, err := c.client.Schemas.Get(ctx, catalog.GetSchemaRequest{FullName: full})
		if err != nil {
			if missing(err) {
				absent++
				continue
			}
			found = append(found, skipped("schema", full, "the schema", err))
			continue
		}
		found = append(found, c.schema(ctx, full, schema, info.Owner))
	}
	need := []string{"USE_CATALOG"}
	if absent > 0 {
		need = append(need, "CREATE_SCHEMA")
	}
	f := doctor.Finding{
		Check:   "grants",
		Subject: name,
		State:   doctor.OK,
		What:    c.runner.name + " may use the catalog and make what is missing in it",
	}
	if lacks := lacking(need, have); len(lacks) > 0 && !c.runner.is(owner) {
		f = c.runner.refused(f, fmt.Sprintf("%s lacks %s on the catalog", c.runner.name, strings.Join(lacks, ", ")),
			grant("catalog", name, c.runner.name, lacks...))
	}
	return append([]doctor.Finding{f}, found...)
}

func (c *checker) schema(ctx context.Context, full, schema, owner string) doctor.Finding {
	f := doctor.Finding{Check: "schema", Subject: full, State: doctor.OK, What: c.runner.name + " may write there"}
	if c.runner.is(owner) {
		return f
	}
	have, err := c.effective(ctx, "schema", full)
	if err != nil {
		return skipped("schema", full, "the grants of the schema", err)
	}
	need := inSchema
	if schema == tables.Checkpoints {
		need = append(slices.Clone(inSchema), "CREATE_VOLUME", "READ_VOLUME", "WRITE_VOLUME")
	}
	if lacks := lacking(need, have); len(lacks) > 0 {
		f = c.runner.refused(
			f,
			fmt.Sprintf("the schema is there, %s owns it, and %s lacks %s on it", owner, c.runner.name, strings.Join(lacks, ", ")),
			grant("schema", full, c.runner.name, lacks...),
		)
	}
	return f
}

// effective is the privileges that the runner has on something, by itself or by
// what is above it, its groups' with them.
func (c *checker) effective(ctx context.Context, kind, name string) ([]string, error) {
	var all []string
	token := ""
	for {
		page, err := c.client.Grants.GetEffective(ctx, catalog.GetEffectiveRequest{SecurableType: kind, FullName: name, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, a := range page.PrivilegeAssignments {
			if !c.runner.is(a.Principal) && a.Principal != "account users" {
				continue
			}
			for _, p := range a.Privileges {
				all = append(all, string(p.Privilege))
			}
		}
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

func lacking(need, have []string) []string {
	if slices.Contains(have, "ALL_PRIVILEGES") {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(need), func(p string) bool { return slices.Contains(have, p) })
}

// folder reports whether the caller may write the deployment's folder.
func (c *checker) folder(ctx context.Context) []doctor.Finding {
	root := c.needs.Root
	f := doctor.Finding{Check: "folder", Subject: root, State: doctor.OK, What: "you may write the deployment's folder"}
	home := "/Workspace/Users/" + c.me.UserName
	if root == "" || root == home || strings.HasPrefix(root, home+"/") {
		return []doctor.Finding{f}
	}
	for dir := root; dir != "/" && dir != "." && dir != "/Workspace"; dir = path.Dir(dir) {
		info, err := c.client.Workspace.GetStatusByPath(ctx, dir)
		if err != nil {
			if missing(err) {
				continue // deploy makes it
			}
			return []doctor.Finding{skipped("folder", root, "the deployment's folder", err)}
		}
		list, err := c.client.Workspace.GetPermissions(ctx, workspacefiles.GetWorkspaceObjectPermissionsRequest{
			WorkspaceObjectType: "directories", WorkspaceObjectId: fmt.Sprint(info.ObjectId)})
		if err != nil {
			return []doctor.Finding{skipped("folder", root, "who may write "+dir, err)}
		}
		me := runner{name: c.me.UserName, groups: append(names(c.me.Groups), everybody)}
		for _, a := range list.AccessControlList {
			if !me.is(a.ServicePrincipalName, a.UserName, a.GroupName) {
				continue
			}
			for _, p := range a.AllPermissions {
				if p.PermissionLevel == "CAN_EDIT" || p.PermissionLevel == "CAN_MANAGE" {
					return []doctor.Finding{f}
				}
			}
		}
		f.State, f.What = doctor.Fail, "you may not write "+dir+", where the bundle is deployed"
		who := accessor{"user_name", c.me.UserName}
		f.Cure = lines(permitFolder(info.ObjectId, who))
		return []doctor.Finding{f}
	}
	return []doctor.Finding{f}
}
