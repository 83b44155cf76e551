package workspace

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
)

// policies compares each cluster policy in use with the clusters that use it.
func (c *checker) policies(ctx context.Context) []doctor.Finding {
	users := map[string][]string{} // names of clusters by policy
	for _, name := range slices.Sorted(maps.Keys(c.needs.Clusters)) {
		if id := c.needs.Clusters[name].Spec.PolicyId; id != "" {
			users[id] = append(users[id], name)
		}
	}
	var found []doctor.Finding
	for _, id := range slices.Sorted(maps.Keys(users)) {
		found = append(found, c.policy(ctx, id, users[id])...)
	}
	return found
}

func (c *checker) policy(ctx context.Context, id string, clusters []string) []doctor.Finding {
	policy, err := c.client.ClusterPolicies.Get(ctx, compute.GetClusterPolicyRequest{PolicyId: id})
	if err != nil {
		if missing(err) {
			return []doctor.Finding{{Check: "policy", Subject: id, State: doctor.Fail, What: "there is no such cluster policy",
				Cure: lines(inPipeline("compute.policy_id: the id of one that `databricks cluster-policies list` shows"))}}
		}
		return []doctor.Finding{skipped("policy", id, "the cluster policy", err)}
	}
	found := []doctor.Finding{c.policyUse(ctx, id, policy.Name)}
	var rules map[string]rule
	if err := json.Unmarshal([]byte(policy.Definition), &rules); err != nil {
		return append(found, doctor.Finding{Check: "policy_rules", Subject: id, State: doctor.Skipped,
			What: "the policy's definition cannot be read: " + firstLine(err)})
	}
	refused := false
	count := 0
	for _, name := range clusters {
		count += c.needs.Clusters[name].Count
		for _, why := range violations(rules, attributes(c.needs.Clusters[name].Spec)) {
			refused = true
			found = append(found, doctor.Finding{Check: "policy_rules", Subject: id, State: doctor.Fail,
				What: fmt.Sprintf("policy %q refuses cluster %s: %s", policy.Name, name, why.text),
				Cure: why.cure(id), Detail: why.attribute + " of " + name})
		}
	}
	if !refused {
		found = append(found, doctor.Finding{Check: "policy_rules", Subject: id, State: doctor.OK,
			What: fmt.Sprintf("policy %q takes all clusters", policy.Name)})
	}
	if most := policy.MaxClustersPerUser; most > 0 && int64(count) > most {
		found = append(found, doctor.Finding{
			Check:   "policy_clusters",
			Subject: id,
			State:   doctor.Fail,
			What:    fmt.Sprintf("policy %q allows %d clusters of one identity, and %d run at once", policy.Name, most, count),
			Cure: lines(
				inPipeline("compute.single_cluster: true"),
				fmt.Sprintf("or ask the policy's owner for max_clusters_per_user of at least %d", count),
			),
		})
	}
	return found
}

// policyUse reports whether the runner may use a policy.
func (c *checker) policyUse(ctx context.Context, id, name string) doctor.Finding {
	list, err := c.client.ClusterPolicies.GetPermissions(ctx, compute.GetClusterPolicyPermissionsRequest{ClusterPolicyId: id})
	if err != nil {
		return skipped("policy", id, "who may use the policy", err)
	}
	for _, a := range list.AccessControlList {
		if c.runner.is(a.ServicePrincipalName, a.UserName, a.GroupName) {
			return doctor.Finding{Check: "policy", Subject: id, State: doctor.OK, What: fmt.Sprintf("%s may use policy %q", c.runner.name, name)}
		}
	}
	if c.runner.admin {
		return doctor.Finding{Check: "policy", Subject: id, State: doctor.OK, What: "an administrator may use every policy"}
	}
	return c.runner.refused(doctor.Finding{Check: "policy", Subject: id},
		fmt.Sprintf("%s may not use policy %q: no cluster of the jobs starts", c.runner.name, name),
		permit("cluster-policies", id, c.accessor(), "CAN_USE"))
}

// rule is what a policy says of one attribute of a cluster.
type rule struct {
	Type     string   `json:"type"`
	Value    any      `json:"value"`
	Values   []any    `json:"values"`
	Pattern  string   `json:"pattern"`
	Min      *float64 `json:"minValue"`
	Max      *float64 `json:"maxValue"`
	Default  any      `json:"defaultValue"`
	Optional bool     `json:"isOptional"`
}

// violation is why a policy refuses a cluster.
type violation struct {
	attribute, text string
	wanted          string
}

// keys are the keys of pipeline.yml that decide an attribute.
var keys = map[string]string{
	"spark_version": "compute.spark_version", "node_type_id": "compute.node_type", "driver_node_type_id": "compute.node_type",
	"num_workers":      "tiers[].sizing.tags_per_worker",
	"instance_pool_id": "compute.pool.instance_pool_id", "driver_instance_pool_id": "compute.pool.driver_instance_pool_id",
	"runtime_engine": "compute.photon", "aws_attributes.instance_profile_arn": "compute.instance_profile",
}

func (v violation) cure(policy string) string {
	key, ok := keys[v.attribute]
	switch {
	case ok && v.wanted != "":
		return inPipeline("%s: %s", key, v.wanted)
	case ok:
		return inPipeline("%s: as the policy wants it", key)
	case strings.HasPrefix(v.attribute, "custom_tags."):
		return inPipeline("compute.custom_tags: {%s: %s}", strings.TrimPrefix(v.attribute, "custom_tags."), v.wanted)
	}
	return fmt.Sprintf("bundlegen sets %s itself: ask the policy's owner to allow it, or name another policy as compute.policy_id"+
		" (databricks cluster-policies get %s shows the rules)", v.attribute, quote(policy))
}

// violations compares a specification with a policy, in the order of attributes.
// Attributes of list elements are passed over: bundlegen sets none.
func violations(rules map[string]rule, have map[string]any) []violation {
	var all []violation
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		r := rules[name]
		value, set := have[name]
		if strings.Contains(name, "*") {
			continue
		}
		if !set {
			if v, ok := absent(name, r); ok {
				all = append(all, v)
			}
			continue
		}
		if text, wanted := r.refuses(value); text != "" {
			all = append(all, violation{attribute: name, text: fmt.Sprintf("%s is %v, and %s", name, value, text), wanted: wanted})
		}
	}
	return all
}

// virtual are what a policy calls attributes without there being a field.
var virtual = map[string]any{"cluster_type": "job"}

// absent is a rule for an attribute that the specification does not set: what is
// fixed, or has a default, the policy fills in.
func absent(name string, r rule) (violation, bool) {
	if value, ok := virtual[name]; ok {
		if text, wanted := r.refuses(value); text != "" {
			return violation{attribute: name, text: fmt.Sprintf("%s is %v, and %s", name, value, text), wanted: wanted}, true
		}
		return violation{}, false
	}
	demands := r.Type == "allowlist" || r.Type == "regex" || r.Type == "range" || r.Type == "blocklist"
	if !demands || r.Optional || r.Default != nil || optional[name] {
		return violation{}, false
	}
	return violation{attribute: name, text: "the policy wants a value for " + name + ", which is not set", wanted: first(r.Values)}, true
}

// optional are attributes that a rule bounds without demanding them of a job's cluster.
var optional = map[string]bool{
	"dbus_per_hour": true, "autotermination_minutes": true, "autoscale.min_workers": true, "autoscale.max_workers": true,
	"cluster_name": true, "driver_node_type_id": true, "driver_instance_pool_id": true, "node_type_id": true, "instance_pool_id": true,
	"runtime_engine": true,
}

// refuses says why a rule does not take a value, and which one it would; "" when it takes it.
func (r rule) refuses(value any) (why, wanted string) {
	has := fmt.Sprint(value)
	switch r.Type {
	case "fixed":
		if want := fmt.Sprint(r.Value); !same(has, want) {
			return "has to be " + want, want
		}
	case "forbidden":
		return "may not be set", ""
	case "allowlist":
		if !slices.ContainsFunc(r.Values, func(v any) bool { return same(has, fmt.Sprint(v)) }) {
			return "has to be one of " + list(r.Values), first(r.Values)
		}
	case "blocklist":
		if slices.ContainsFunc(r.Values, func(v any) bool { return same(has, fmt.Sprint(v)) }) {
			return "may not be one of " + list(r.Values), ""
		}
	case "regex":
		if p, err := regexp.Compile(`\A(?:` + r.Pattern + `)\z`); err == nil && !p.MatchString(has) {
			return "has to match " + r.Pattern, ""
		}
	case "range":
		n, err := strconv.ParseFloat(has, 64)
		switch {
		case err != nil:
			return "has to be a number", ""
		case r.Min != nil && n < *r.Min:
			return fmt.Sprintf("has to be at least %v", *r.Min), fmt.Sprint(*r.Min)
		case r.Max != nil && n > *r.Max:
			return fmt.Sprintf("has to be at most %v", *r.Max), fmt.Sprint(*r.Max)
		}
	}
	return "", ""
}

// same compares two values of an attribute as a policy does: data_security_mode has
// names of two generations, and auto:latest-lts stands for what nobody tells.
func same(has, want string) bool {
	return strings.EqualFold(modern(has), modern(want)) || strings.HasPrefix(want, "auto:")
}

func modern(value string) string {
	switch value {
	case "SINGLE_USER":
		return "DATA_SECURITY_MODE_DEDICATED"
	case "USER_ISOLATION":
		return "DATA_SECURITY_MODE_STANDARD"
	}
	return value
}

// first is the first value that a rule allows; "" of none.
func first(values []any) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprint(values[0])
}

const mostListed = 6

func list(values []any) string {
	var all []string
	for i, v := range values {
		if i == mostListed {
			all = append(all, "…")
			break
		}
		all = append(all, fmt.Sprint(v))
	}
	return strings.Join(all, ", ")
}

// attributes flattens a specification to the names that a policy has for them.
func attributes(spec compute.ClusterSpec) map[string]any {
	data, err := json.Marshal(spec)
	if err != nil {
		panic(err) // it came as JSON
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		panic(err)
	}
	flat := map[string]any{}
	flatten(flat, "", tree)
	return flat
}

func flatten(into map[string]any, prefix string, tree map[string]any) {
	for name, value := range tree {
		if below, ok := value.(map[string]any); ok {
			flatten(into, prefix+name+".", below)
			continue
		}
		into[prefix+name] = value
	}
}
