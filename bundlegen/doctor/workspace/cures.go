package workspace

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/iam"
)

// Every command that mends something is made here, as the databricks CLI takes it.
// No one of them holds a secret's value: put-secret asks for it.

// quote is a word for a shell.
func quote(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@:+=") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// withJSON is a command with a request body.
func withJSON(body any, command string, args ...string) string {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // maps and texts only
	}
	return databricksCommand(command, args...) + " --json " + quote(string(data))
}

func databricksCommand(command string, args ...string) string {
	words := []string{"databricks", command}
	for _, a := range args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

func addPrincipal(applicationID string) string {
	return databricksCommand("service-principals-v2 create", "--application-id", applicationID, "--active")
}

// letUse adds the role of user to what a service principal's rule set has already.
func letUse(rules iam.RuleSetResponse, user string) string {
	grants := append(rules.GrantRules[:len(rules.GrantRules):len(rules.GrantRules)],
		iam.GrantRule{Principals: []string{user}, Role: userRole})
	set := map[string]any{"name": rules.Name, "etag": rules.Etag, "grant_rules": grants}
	return withJSON(map[string]any{"name": rules.Name, "rule_set": set},
		"api put", "/api/2.0/preview/accounts/access-control/rule-sets")
}

const patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// entitle gives an entitlement to the SCIM resource of that kind and id: service-principals-v2, users-v2, groups-v2.
func entitle(kind, id, entitlement string) string {
	return withJSON(map[string]any{
		"schemas":    []string{patchSchema},
		"Operations": []any{map[string]any{"op": "add", "path": "entitlements", "value": []any{map[string]string{"value": entitlement}}}},
	}, kind+" patch", id)
}

// permit adds a permission to what an object's access list has already. objects is
// the CLI's group of commands: cluster-policies, instance-pools, warehouses.
func permit(objects, id string, who accessor, level string) string {
	return withJSON(map[string]any{"access_control_list": []any{map[string]string{who.key: who.name, "permission_level": level}}},
		objects+" update-permissions", id)
}

func createScope(scope string) string    { return databricksCommand("secrets create-scope", scope) }
func putSecret(scope, key string) string { return databricksCommand("secrets put-secret", scope, key) }
func readScope(scope, who string) string {
	return databricksCommand("secrets put-acl", scope, who, "READ")
}
func createCatalog(catalog string) string { return databricksCommand("catalogs create", catalog) }
func grant(kind, name, who string, privileges ...string) string {
	return withJSON(map[string]any{"changes": []any{map[string]any{"principal": who, "add": privileges}}}, "grants update", kind, name)
}

// inPipeline is a cure that no command is.
func inPipeline(format string, args ...any) string {
	return fmt.Sprintf("pipeline.yml: "+format+"; then bundlegen generate", args...)
}

// lines is several cures: a line each.
func lines(cures ...string) string { return strings.Join(cures, "\n") }

// permitFolder lets somebody write a folder of the workspace.
func permitFolder(id int64, who accessor) string {
	return withJSON(map[string]any{"access_control_list": []any{map[string]string{who.key: who.name, "permission_level": "CAN_MANAGE"}}},
		"workspace update-permissions", "directories", fmt.Sprint(id))
}
