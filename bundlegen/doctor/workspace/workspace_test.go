package workspace

import (
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
)

const (
	deployer  = "deployer@example.com"
	principal = "11111111-2222-3333-4444-555555555555"
	account   = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	token     = "dapi-not-to-be-printed"
)

type object = map[string]any

// world is a workspace as far as its API tells: an answer for each path. What it does
// not have does not exist.
type world struct {
	mu      sync.Mutex
	answers map[string]any
	asked   map[string]bool
}

// A path's answer may be one of these instead of an object.
type (
	refusal struct {
		status        int
		code, message string
	}
	page string // HTML
)

var (
	forbidden = refusal{http.StatusForbidden, "PERMISSION_DENIED", "User does not have permission"}
	absent404 = refusal{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "there is no such thing"}
	noAPI     = refusal{http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found"}
	broken    = refusal{http.StatusInternalServerError, "INTERNAL_ERROR", "out of order"}
	signIn    = page("<!doctype html><title>Sign in</title>")
)

// Paths of the API.
const (
	pMe         = "/api/2.0/preview/scim/v2/Me"
	pPrincipals = "/api/2.0/preview/scim/v2/ServicePrincipals"
	pGroups     = "/api/2.0/preview/scim/v2/Groups"
	pRuleSets   = "/api/2.0/preview/accounts/access-control/rule-sets"
	pPolicy     = "/api/2.0/policies/clusters/get"
	pPolicyUse  = "/api/2.0/permissions/cluster-policies/POLICY1"
	pPool       = "/api/2.0/instance-pools/get"
	pPoolUse    = "/api/2.0/permissions/instance-pools/pool-1"
	pSecrets    = "/api/2.0/secrets/list"
	pAcls       = "/api/2.0/secrets/acls/list"
	pCatalog    = "/api/2.1/unity-catalog/catalogs/main"
	pGrants     = "/api/2.1/unity-catalog/effective-permissions/catalog/main"
	pSchemas    = "/api/2.1/unity-catalog/schemas/main."
	pSchemaUse  = "/api/2.1/unity-catalog/effective-permissions/schema/main."
	pRuntimes   = "/api/2.1/clusters/spark-versions"
	pNodes      = "/api/2.1/clusters/list-node-types"
	pWarehouse  = "/api/2.0/sql/warehouses/abc123"
	pWarehouses = "/api/2.0/permissions/sql/warehouses/abc123"
	pStatus     = "/api/2.0/workspace/get-status"
	pFolder     = "/api/2.0/permissions/directories/77"
)

// healthy is a workspace in which everything is as the bundle wants it.
func healthy() *world {
	access := func(who, level string) object {
		return object{"access_control_list": []object{{"service_principal_name": who, "all_permissions": []object{{"permission_level": level}}}}}
	}
	return &world{asked: map[string]bool{}, answers: map[string]any{
		pMe: object{"id": "1", "userName": deployer, "groups": []object{{"display": "engineers", "value": "501"}}},
		pPrincipals: object{"totalResults": 1, "itemsPerPage": 1, "startIndex": 1, "Resources": []object{{"id": "42", "applicationId": principal, "active": true,
			"entitlements": []object{{"value": createClusters}}, "groups": []object{{"display": "runners", "value": "502"}}}}},
		pGroups: object{"totalResults": 2, "itemsPerPage": 2, "startIndex": 1, "Resources": []object{
			{"id": "500", "displayName": everybody, "entitlements": []object{{"value": workspaceAccess}, {"value": sqlAccess}}},
			{"id": "501", "displayName": "engineers", "entitlements": []object{{"value": createPools}}},
		}},
		pRuleSets: object{"name": "accounts/" + account + "/servicePrincipals/" + principal + "/ruleSets/default", "etag": "e1",
			"grant_rules": []object{{"role": "roles/servicePrincipal.manager", "principals": []string{"users/boss@example.com"}}, {"role": userRole, "principals": []string{"groups/engineers"}}}},
		pPolicy: object{"policy_id": "POLICY1", "name": "jobs", "definition": `{
			"cluster_type": {"type": "fixed", "value": "job"}, "spark_version": {"type": "allowlist", "values": ["16.4.x-scala2.12", "17.3.x-scala2.13"]},
			"data_security_mode": {"type": "fixed", "value": "DATA_SECURITY_MODE_DEDICATED"}, "num_workers": {"type": "range", "maxValue": 8},
			"node_type_id": {"type": "regex", "pattern": "m5d\\..*"}, "custom_tags.team": {"type": "unlimited"}, "dbus_per_hour": {"type": "range", "maxValue": 50},
			"autotermination_minutes": {"type": "fixed", "value": 30}, "aws_attributes.availability": {"type": "allowlist", "values": ["SPOT_WITH_FALLBACK"]}}`},
		pPolicyUse: access(principal, "CAN_USE"),
		pPool:      object{"instance_pool_id": "pool-1", "instance_pool_name": "warm"},
		pPoolUse:   object{"access_control_list": []object{{"group_name": "runners", "all_permissions": []object{{"permission_level": "CAN_ATTACH_TO"}}}}},
		pSecrets:   object{"secrets": []object{{"key": "plant-a"}, {"key": "plant-b"}}},
		pAcls:      object{"items": []object{{"principal": deployer, "permission": "MANAGE"}, {"principal": principal, "permission": "READ"}}},
		pCatalog: object{"name": "main", "owner": "boss@example.com", "catalog_type": "MANAGED_CATALOG", "isolation_mode": "OPEN",
			"effective_predictive_optimization_flag": object{"value": "ENABLE"}},
		pGrants:   object{"privilege_assignments": []object{{"principal": principal, "privileges": []object{{"privilege": "USE_CATALOG"}, {"privilege": "CREATE_SCHEMA"}}}}},
		pRuntimes: object{"versions": []object{{"key": "17.3.x-scala2.13", "name": "17.3 LTS"}, {"key": "16.4.x-scala2.12"}}},
		pNodes: object{"node_types": []object{
			{"node_type_id": "m5d.xlarge", "num_cores": 4.0, "memory_mb": 16384, "instance_type_id": "m5d.xlarge", "description": "", "category": "General"},
			{"node_type_id": "i3.xlarge", "num_cores": 4.0, "memory_mb": 30000, "instance_type_id": "i3.xlarge", "description": "", "category": "Storage"},
		}},
		pWarehouse:  object{"id": "abc123", "name": "watch"},
		pWarehouses: access(principal, "CAN_USE"),
		pStatus:     object{"object_id": 77, "object_type": "DIRECTORY", "path": "/Workspace/Shared/pi"},
		pFolder:     object{"access_control_list": []object{{"user_name": deployer, "all_permissions": []object{{"permission_level": "CAN_MANAGE"}}}}},
	}}
}

// needs is what a bundle with two sites wants of it.
func needs() *Needs {
	spec := compute.ClusterSpec{
		SparkVersion: "17.3.x-scala2.13", NodeTypeId: "m5d.xlarge", NumWorkers: 3, DataSecurityMode: "SINGLE_USER", PolicyId: "POLICY1",
		AwsAttributes: &compute.AwsAttributes{Availability: "SPOT_WITH_FALLBACK", FirstOnDemand: 1},
		SparkEnvVars:  map[string]string{"PI_PLANT_A_PASSWORD": "{{secrets/pi/plant-a}}"}, CustomTags: map[string]string{"team": "ops"},
	}
	return &Needs{
		Principal: principal, Cloud: "aws", Catalog: "main", Root: "/Workspace/Shared/pi/.bundle/plant/prod",
		Clusters:  map[string]Cluster{"extraction": {Spec: spec, Count: 10}},
		Secrets:   []Secret{{"pi", "plant-a"}, {"pi", "plant-b"}, {"pi", "plant-a"}},
		Warehouse: "abc123",
	}
}

// free makes the clusters run without a policy.
func free(n *Needs) {
	c := n.Clusters["extraction"]
	c.Spec.PolicyId = ""
	n.Clusters["extraction"] = c
}

// spec changes the clusters' specification.
func spec(n *Needs, change func(*compute.ClusterSpec)) {
	c := n.Clusters["extraction"]
	change(&c.Spec)
	n.Clusters["extraction"] = c
}

// check starts the workspace and makes all checks.
func (w *world) check(t *testing.T, n *Needs) []doctor.Finding {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DATABRICKS_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
	server := testserver.New(t)
	for _, pattern := range []string{
		pMe, pPrincipals, pGroups, pRuleSets, pPolicy, pPool, pSecrets, pAcls, pRuntimes, pNodes, pStatus,
		"/api/2.0/permissions/{object_type}/{object_id}", "/api/2.0/permissions/{prefix}/{object_type}/{object_id}", "/api/2.1/unity-catalog/catalogs/{name}",
		"/api/2.1/unity-catalog/effective-permissions/{kind}/{name}", "/api/2.1/unity-catalog/schemas/{full_name}", "/api/2.0/sql/warehouses/{warehouse_id}",
	} {
		server.Handle("GET", pattern, w.answer)
	}
	testserver.AddDefaultHandlers(server)
	client, err := databricks.NewWorkspaceClient(&databricks.Config{Host: server.URL, Token: token, AccountID: account, RateLimitPerSecond: 10000, ConfigFile: path.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	found := Check(t.Context(), client, func() (Needs, error) { return *n, nil })
	for _, f := range found {
		require.NotContains(t, f.What+f.Cure+f.Detail, token)
		require.NotEmpty(t, f.What, f.Check)
		require.Contains(t, []doctor.State{doctor.OK, doctor.Warn, doctor.Fail, doctor.Skipped}, f.State)
		require.Equal(t, f.State == doctor.Fail || f.State == doctor.Warn, f.Cure != "", "%s %s: what is wrong has a cure, and nothing else: %s", f.Check, f.Subject, f.Cure)
	}
	return found
}

func (w *world) answer(req testserver.Request) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[req.URL.Path] = true
	answer, ok := w.answers[req.URL.Path]
	if req.URL.Path == pStatus && req.URL.Query().Get("path") != "/Workspace/Shared/pi" {
		answer, ok = absent404, true
	}
	if !ok {
		answer = absent404
	}
	if start := req.URL.Query().Get("startIndex"); start != "" && start != "0" && start != "1" {
		answer = object{"Resources": []object{}} // the page behind the last
	}
	switch a := answer.(type) {
	case refusal:
		return testserver.Response{StatusCode: a.status, Body: object{"error_code": a.code, "message": a.message}}
	case page:
		return testserver.Response{StatusCode: http.StatusOK, Headers: http.Header{"Content-Type": {"text/html"}}, Body: string(a)}
	}
	return answer
}

// only is the findings of a state.
func only(found []doctor.Finding, s doctor.State) []doctor.Finding {
	var all []doctor.Finding
	for _, f := range found {
		if f.State == s {
			all = append(all, f)
		}
	}
	return all
}

func TestHealthyWorkspaceHasNoRedLine(t *testing.T) {
	variants := map[string]func(*world, *Needs){
		"with a policy":    func(*world, *Needs) {},
		"without a policy": func(_ *world, n *Needs) { free(n) },
		"as the deployer":  func(w *world, n *Needs) { asDeployer(w, n) },
		"with a pool": func(_ *world, n *Needs) {
			spec(n, func(s *compute.ClusterSpec) { s.InstancePoolId = "pool-1"; s.NodeTypeId = ""; s.AwsAttributes = nil })
			free(n)
		},
		"with pools of its own": func(_ *world, n *Needs) {
			n.Pools = map[string]compute.CreateInstancePool{"warm": {NodeTypeId: "m5d.xlarge"}}
		},
		"in its own home":             func(_ *world, n *Needs) { n.Root = "/Workspace/Users/" + deployer + "/.bundle/plant/prod" },
		"schemas that it owns":        func(w *world, _ *Needs) { w.schemas(principal) },
		"schemas of another, granted": func(w *world, _ *Needs) { w.schemas("boss@example.com"); w.grantSchemas("ALL_PRIVILEGES") },
		"a catalog that it owns": func(w *world, _ *Needs) {
			w.answers[pCatalog].(object)["owner"] = principal
			w.answers[pGrants] = object{}
		},
		"a right by a group's group": func(w *world, _ *Needs) {
			w.groups("inner")
			w.answers[pGroups].(object)["Resources"] = append(w.answers[pGroups].(object)["Resources"].([]object),
				object{"id": "503", "displayName": "inner", "groups": []object{{"display": "outer", "value": "504"}}})
			w.answers[pAcls] = object{"items": []object{{"principal": "outer", "permission": "READ"}}}
		},
		"read by everybody": func(w *world, _ *Needs) {
			w.answers[pAcls] = object{"items": []object{{"principal": everybody, "permission": "READ"}}}
		},
		"an administrator as principal": func(w *world, _ *Needs) {
			w.groups("admins")
			w.answers[pPolicyUse] = object{}
			w.answers[pWarehouses] = object{}
		},
		"serverless": func(_ *world, n *Needs) { n.Clusters, n.Serverless = nil, true },
		"a runtime the policy calls auto": func(w *world, _ *Needs) {
			w.answers[pPolicy].(object)["definition"] = `{"spark_version": {"type": "fixed", "value": "auto:latest-lts"}}`
		},
	}
	for name, change := range variants {
		t.Run(name, func(t *testing.T) {
			w, n := healthy(), needs()
			change(w, n)
			found := w.check(t, n)
			require.Empty(t, only(found, doctor.Fail))
			require.Empty(t, only(found, doctor.Warn))
			if !n.Serverless {
				require.Empty(t, only(found, doctor.Skipped))
			}
		})
	}
}

func asDeployer(w *world, n *Needs) {
	n.Principal = ""
	w.answers[pMe] = object{"id": "1", "userName": deployer, "entitlements": []object{{"value": createClusters}}, "groups": []object{{"display": "engineers", "value": "501"}}}
	user := func(level string) object {
		return object{"access_control_list": []object{{"user_name": deployer, "all_permissions": []object{{"permission_level": level}}}}}
	}
	w.answers[pPolicyUse], w.answers[pWarehouses] = user("CAN_USE"), user("CAN_USE")
	w.answers[pGrants] = object{"privilege_assignments": []object{{"principal": deployer, "privileges": []object{{"privilege": "USE_CATALOG"}, {"privilege": "CREATE_SCHEMA"}}}}}
}

// groups puts the service principal into groups.
func (w *world) groups(names ...string) {
	p := w.answers[pPrincipals].(object)["Resources"].([]object)[0]
	var all []object
	for _, name := range names {
		all = append(all, object{"display": name, "value": "9"})
	}
	p["groups"] = all
}

func (w *world) schemas(owner string) {
	for _, s := range []string{"bronze", "metadata", "checkpoints", "monitoring"} {
		w.answers[pSchemas+s] = object{"name": s, "catalog_name": "main", "full_name": "main." + s, "owner": owner}
	}
}

func (w *world) grantSchemas(privileges ...string) {
	var all []object
	for _, p := range privileges {
		all = append(all, object{"privilege": p})
	}
	for _, s := range []string{"bronze", "metadata", "checkpoints", "monitoring"} {
		w.answers[pSchemaUse+s] = object{"privilege_assignments": []object{{"principal": principal, "privileges": all}}}
	}
}

func (w *world) policy(definition string) { w.answers[pPolicy].(object)["definition"] = definition }

// faults are those of a workspace, each with the check that has to name it and what
// its cure has to say. Nothing else may be red.
var faults = []struct {
	name   string
	plant  func(*world, *Needs)
	check  string
	says   string
	cure   string
	others []string // checks that are red by right, too
}{
	{name: "credentials that nobody knows", plant: func(w *world, _ *Needs) { w.answers[pMe] = refusal{401, "UNAUTHENTICATED", "Credential was not sent"} },
		check: "identity", says: "does not say who you are", cure: "databricks auth login --host http"},
	{name: "a sign-in page before the workspace", plant: func(w *world, _ *Needs) { w.answers[pMe] = signIn },
		check: "identity", says: "a proxy or a sign-in page", cure: "databricks auth login"},
	{name: "no such service principal", plant: func(w *world, _ *Needs) { w.answers[pPrincipals] = object{"Resources": []object{}} },
		check: "service_principal", says: "is not in this workspace", cure: "databricks service-principals-v2 create --application-id " + principal},
	{name: "an inactive service principal", plant: func(w *world, _ *Needs) { w.answers[pPrincipals].(object)["Resources"].([]object)[0]["active"] = false },
		check: "service_principal", says: "inactive", cure: `databricks service-principals-v2 patch 42 --json`},
	{name: "no role on the service principal", plant: func(w *world, _ *Needs) { w.answers[pMe].(object)["groups"] = []object{} },
		check: "principal_user", says: "role User", cure: `"principals":["users/deployer@example.com"],"role":"roles/servicePrincipal.user"`},
	{name: "may start no cluster", plant: func(w *world, n *Needs) {
		free(n)
		w.answers[pPrincipals].(object)["Resources"].([]object)[0]["entitlements"] = []object{}
	},
		check: "entitlement", says: "cannot start a cluster", cure: `databricks service-principals-v2 patch 42 --json '{"Operations":[{"op":"add","path":"entitlements","value":[{"value":"allow-cluster-create"}]}]`},
	{name: "no SQL access", plant: func(w *world, _ *Needs) {
		w.answers[pGroups].(object)["Resources"].([]object)[0]["entitlements"] = []object{{"value": workspaceAccess}}
	}, check: "entitlement", says: "alerts and dashboards", cure: `"value":"databricks-sql-access"`},
	{name: "no such policy", plant: func(w *world, _ *Needs) { delete(w.answers, pPolicy) },
		check: "policy", says: "no such cluster policy", cure: "compute.policy_id"},
	{name: "a policy of others", plant: func(w *world, _ *Needs) {
		w.answers[pPolicyUse] = object{"access_control_list": []object{{"group_name": "others", "all_permissions": []object{{"permission_level": "CAN_USE"}}}}}
	}, check: "policy", says: "may not use policy", cure: `databricks cluster-policies update-permissions POLICY1 --json '{"access_control_list":[{"permission_level":"CAN_USE","service_principal_name":"` + principal + `"}]}'`},
	{name: "a policy with another runtime", plant: func(w *world, _ *Needs) {
		w.policy(`{"spark_version": {"type": "fixed", "value": "17.4.x-scala2.13"}}`)
	},
		check: "policy_rules", says: "spark_version is 17.3.x-scala2.13, and has to be 17.4.x-scala2.13", cure: "compute.spark_version: 17.4.x-scala2.13"},
	{name: "a policy with other machines", plant: func(w *world, _ *Needs) { w.policy(`{"node_type_id": {"type": "allowlist", "values": ["r5d.large"]}}`) },
		check: "policy_rules", says: "node_type_id is m5d.xlarge, and has to be one of r5d.large", cure: "compute.node_type: r5d.large"},
	{name: "a policy without dedicated access", plant: func(w *world, _ *Needs) {
		w.policy(`{"data_security_mode": {"type": "fixed", "value": "USER_ISOLATION"}}`)
	},
		check: "policy_rules", says: "data_security_mode is SINGLE_USER", cure: "ask the policy's owner"},
	{name: "a policy that forbids variables", plant: func(w *world, _ *Needs) { w.policy(`{"spark_env_vars.PI_PLANT_A_PASSWORD": {"type": "forbidden"}}`) },
		check: "policy_rules", says: "may not be set", cure: "ask the policy's owner"},
	{name: "a policy for few workers", plant: func(w *world, _ *Needs) { w.policy(`{"num_workers": {"type": "range", "maxValue": 2}}`) },
		check: "policy_rules", says: "num_workers is 3, and has to be at most 2", cure: "tags_per_worker"},
	{name: "a policy that wants a tag", plant: func(w *world, _ *Needs) { w.policy(`{"custom_tags.cost": {"type": "allowlist", "values": ["c-17"]}}`) },
		check: "policy_rules", says: "custom_tags.cost", cure: "compute.custom_tags: {cost: c-17}"},
	{name: "a policy for pools only", plant: func(w *world, _ *Needs) {
		w.policy(`{"instance_pool_id": {"type": "fixed", "value": "pool-9"}, "node_type_id": {"type": "forbidden"}}`)
	},
		check: "policy_rules", says: "node_type_id is m5d.xlarge, and may not be set", cure: "compute.node_type"},
	{name: "a policy for all-purpose clusters", plant: func(w *world, _ *Needs) { w.policy(`{"cluster_type": {"type": "fixed", "value": "all-purpose"}}`) },
		check: "policy_rules", says: "cluster_type is job", cure: "another policy"},
	{name: "a policy of few clusters", plant: func(w *world, _ *Needs) { w.answers[pPolicy].(object)["max_clusters_per_user"] = 4 },
		check: "policy_clusters", says: "allows 4 clusters of one identity, and 10", cure: "compute.single_cluster: true"},
	{name: "no such pool", plant: func(w *world, n *Needs) {
		spec(n, func(s *compute.ClusterSpec) { s.InstancePoolId = "pool-1" })
		delete(w.answers, pPool)
	},
		check: "pool", says: "no such pool", cure: "databricks instance-pools list"},
	{name: "a pool of others", plant: func(w *world, n *Needs) {
		spec(n, func(s *compute.ClusterSpec) { s.InstancePoolId = "pool-1" })
		w.answers[pPoolUse] = object{}
	},
		check: "pool", says: "may not take machines", cure: "databricks instance-pools update-permissions pool-1 --json"},
	{name: "may make no pools", plant: func(w *world, n *Needs) {
		n.Pools = map[string]compute.CreateInstancePool{"warm": {NodeTypeId: "m5d.xlarge"}}
		w.answers[pGroups].(object)["Resources"].([]object)[1]["entitlements"] = []object{}
	}, check: "make_pools", says: "given to groups only", cure: `databricks groups-v2 patch 501 --json`},
	{name: "no such scope", plant: func(w *world, _ *Needs) { delete(w.answers, pSecrets) },
		check: "secret_scope", says: "no such secret scope", cure: "databricks secrets create-scope pi\ndatabricks secrets put-secret pi plant-a\ndatabricks secrets put-secret pi plant-b\ndatabricks secrets put-acl pi " + principal + " READ"},
	{name: "no such secret", plant: func(w *world, _ *Needs) { w.answers[pSecrets] = object{"secrets": []object{{"key": "plant-a"}}} },
		check: "secret", says: "no such key", cure: "databricks secrets put-secret pi plant-b"},
	{name: "secrets that it may not read", plant: func(w *world, _ *Needs) {
		w.answers[pAcls] = object{"items": []object{{"principal": deployer, "permission": "MANAGE"}}}
	},
		check: "secret_acl", says: "may not read the scope", cure: "databricks secrets put-acl pi " + principal + " READ"},
	{name: "no such catalog", plant: func(w *world, _ *Needs) { delete(w.answers, pCatalog) },
		check: "catalog", says: "no such catalog", cure: "databricks catalogs create main"},
	{name: "a catalog of Delta Sharing", plant: func(w *world, _ *Needs) { w.answers[pCatalog].(object)["catalog_type"] = "DELTASHARING_CATALOG" },
		check: "catalog", says: "DELTASHARING_CATALOG", cure: "catalog: one of your own"},
	{name: "the old metastore", plant: func(_ *world, n *Needs) { n.Catalog = "hive_metastore" },
		check: "catalog", says: "has no volumes", cure: "catalog:"},
	{name: "no grants", plant: func(w *world, _ *Needs) { w.answers[pGrants] = object{} },
		check: "grants", says: "lacks USE_CATALOG, CREATE_SCHEMA", cure: `databricks grants update catalog main --json '{"changes":[{"add":["USE_CATALOG","CREATE_SCHEMA"],"principal":"` + principal + `"}]}'`},
	{name: "schemas of a principal before", plant: func(w *world, _ *Needs) {
		w.schemas(principal)
		w.answers[pSchemas+"checkpoints"] = object{"name": "checkpoints", "full_name": "main.checkpoints", "owner": "former@example.com"}
		w.answers[pSchemaUse+"checkpoints"] = object{"privilege_assignments": []object{{"principal": principal, "privileges": []object{{"privilege": "USE_SCHEMA"}, {"privilege": "SELECT"}}}}}
	}, check: "schema", says: "former@example.com owns it", cure: `databricks grants update schema main.checkpoints --json '{"changes":[{"add":["MODIFY","CREATE_TABLE","CREATE_VOLUME","READ_VOLUME","WRITE_VOLUME"]`},
	{name: "a runtime that is not there", plant: func(w *world, _ *Needs) {
		w.answers[pRuntimes] = object{"versions": []object{{"key": "16.4.x-scala2.12"}}}
	},
		check: "runtime", says: "does not have this runtime", cure: "compute.spark_version"},
	{name: "machines of another cloud", plant: func(_ *world, n *Needs) {
		free(n)
		spec(n, func(s *compute.ClusterSpec) { s.NodeTypeId = "Standard_D4ds_v5" })
	},
		check: "node_type", says: "it is one of azure, and compute.cloud is aws", cure: "compute.node_type"},
	{name: "machines that the region lacks", plant: func(w *world, _ *Needs) {
		w.answers[pNodes].(object)["node_types"].([]object)[0]["node_info"] = object{"status": []string{"NotAvailableInRegion"}}
	}, check: "node_type", says: "region does not have", cure: "compute.node_type"},
	{name: "machines that are not enabled", plant: func(w *world, _ *Needs) {
		w.answers[pNodes].(object)["node_types"].([]object)[0]["node_info"] = object{"status": []string{"NotEnabledOnSubscription"}}
	}, check: "node_type", says: "not enabled", cure: "compute.node_type"},
	{name: "no such warehouse", plant: func(w *world, _ *Needs) { delete(w.answers, pWarehouse) },
		check: "warehouse", says: "no such SQL warehouse", cure: "databricks warehouses list"},
	{name: "a warehouse of others", plant: func(w *world, _ *Needs) { w.answers[pWarehouses] = object{} },
		check: "warehouse", says: "may not use warehouse", cure: `databricks warehouses update-permissions abc123 --json`},
	{name: "a folder of others", plant: func(w *world, _ *Needs) { w.answers[pFolder] = object{} },
		check: "folder", says: "may not write /Workspace/Shared/pi", cure: "databricks workspace update-permissions directories 77 --json"},
}

func TestFaultsAreNamedWithTheirCure(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			w, n := healthy(), needs()
			fault.plant(w, n)
			red := only(w.check(t, n), doctor.Fail)
			require.Len(t, red, 1, "%v", red)
			require.Equal(t, fault.check, red[0].Check)
			require.Contains(t, red[0].What, fault.says)
			require.Contains(t, red[0].Cure, fault.cure)
		})
	}
	t.Logf("%d faults", len(faults))
}

// Whatever way an answer is not to be had, nothing is red for it but who you are.
func TestWhatCannotBeReadIsSkipped(t *testing.T) {
	for how, answer := range map[string]any{"forbidden": forbidden, "no such API": noAPI, "broken": broken, "a page": signIn} {
		t.Run(how, func(t *testing.T) {
			for _, path := range []string{
				pPrincipals, pRuleSets, pPolicy, pPolicyUse, pPool, pPoolUse, pSecrets, pAcls, pCatalog, pGrants, pSchemas + "bronze", pRuntimes, pNodes, pWarehouse, pWarehouses, pFolder,
			} {
				w, n := healthy(), needs()
				spec(n, func(s *compute.ClusterSpec) { s.InstancePoolId = "pool-1" })
				w.answers[path] = answer
				found := w.check(t, n)
				require.Empty(t, only(found, doctor.Fail), path)
				require.NotEmpty(t, only(found, doctor.Skipped), path)
				require.True(t, w.asked[path], path)
				for _, f := range only(found, doctor.Skipped) {
					require.Contains(t, f.What, "cannot be read: ")
				}
			}
		})
	}
	t.Run("everything", func(t *testing.T) {
		w, n := healthy(), needs()
		for path := range w.answers {
			if path != pMe {
				w.answers[path] = forbidden
			}
		}
		require.Empty(t, only(w.check(t, n), doctor.Fail))
	})
}

func TestQuota(t *testing.T) {
	for _, f := range healthy().check(t, needs()) {
		if f.Check == "quota" {
			require.Equal(t, "all jobs at once start 40 machines with 40 vCPU on demand and 120 on spot, and take 80 addresses", f.What)
			require.Contains(t, f.Detail, "https://console.aws.amazon.com/servicequotas/")
			return
		}
	}
	require.Fail(t, "no quota")
}
