package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/iam"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
)

// Entitlements.
const (
	createClusters  = "allow-cluster-create"
	createPools     = "allow-instance-pool-create"
	sqlAccess       = "databricks-sql-access"
	workspaceAccess = "workspace-access"
)

const (
	everybody = "users"  // the group of all
	admins    = "admins" // the group of a workspace's administrators
	userRole  = "roles/servicePrincipal.user"
)

// identity finds out who asks.
func (c *checker) identity(ctx context.Context) []doctor.Finding {
	me, err := c.client.CurrentUser.Me(ctx, iam.MeRequest{})
	if err != nil || me.UserName == "" {
		f := doctor.Finding{Check: "identity", State: doctor.Fail, What: "the workspace does not say who you are",
			Cure: databricksCommand("auth login", "--host", c.client.Config.Host)}
		if err != nil {
			f.What += ": " + reason(err)
		}
		return []doctor.Finding{f}
	}
	c.me = me
	return []doctor.Finding{{Check: "identity", Subject: me.UserName, State: doctor.OK, What: "the workspace knows you",
		Detail: "credentials " + c.client.Config.AuthType}}
}

// principal finds out who runs the jobs, and whether the caller may have it run them.
func (c *checker) principal(ctx context.Context) []doctor.Finding {
	id := c.needs.Principal
	if id == "" || strings.EqualFold(id, c.me.UserName) {
		c.runner = c.runnerOf(ctx, c.me.UserName, c.me.Groups, c.me.Entitlements)
		c.runner.known, c.runner.kind, c.runner.id = true, "users-v2", c.me.Id
		return nil
	}
	c.runner = runner{name: id, groups: []string{everybody}}
	all, err := c.client.ServicePrincipalsV2.ListAll(ctx, iam.ListServicePrincipalsRequest{Filter: fmt.Sprintf("applicationId eq %q", id)})
	if err != nil {
		return []doctor.Finding{skipped("service_principal", id, "the service principal", err)}
	}
	at := slices.IndexFunc(all, func(p iam.ServicePrincipal) bool { return strings.EqualFold(p.ApplicationId, id) })
	if at < 0 {
		return []doctor.Finding{{Check: "service_principal", Subject: id, State: doctor.Fail,
			What: "the service principal that is to run the jobs is not in this workspace",
			Cure: lines(addPrincipal(id))}}
	}
	p := all[at]
	c.runner = c.runnerOf(ctx, id, p.Groups, p.Entitlements)
	c.runner.known, c.runner.kind, c.runner.id = true, "service-principals-v2", p.Id
	found := doctor.Finding{Check: "service_principal", Subject: id, State: doctor.OK, What: "the service principal is in this workspace"}
	if !p.Active {
		found.State, found.What = doctor.Fail, "the service principal is inactive: nothing runs as it"
		found.Cure = withJSON(map[string]any{"schemas": []string{patchSchema},
			"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": true}}}, "service-principals-v2 patch", p.Id)
	}
	return []doctor.Finding{found, c.role(ctx, id)}
}

// role reports whether the caller may deploy jobs that run as the service principal.
func (c *checker) role(ctx context.Context, id string) doctor.Finding {
	account := c.client.Config.AccountID
	if account == "" {
		return doctor.Finding{
			Check:   "principal_user",
			Subject: id,
			State:   doctor.Skipped,
			What:    "your role on the service principal cannot be read: the account's id is not known; DATABRICKS_ACCOUNT_ID or account_id of the profile names it",
		}
	}
	rules, err := c.client.AccountAccessControlProxy.GetRuleSet(ctx, iam.GetRuleSetRequest{
		Name: fmt.Sprintf("accounts/%s/servicePrincipals/%s/ruleSets/default", account, id)})
	if err != nil {
		return skipped("principal_user", id, "your role on the service principal", err)
	}
	user := "users/" + c.me.UserName
	if !strings.Contains(c.me.UserName, "@") {
		user = "servicePrincipals/" + c.me.UserName
	}
	mine := []string{user}
	for _, g := range names(c.me.Groups) {
		mine = append(mine, "groups/"+g)
	}
	for _, rule := range rules.GrantRules {
		if rule.Role == userRole && slices.ContainsFunc(rule.Principals, func(p string) bool { return slices.Contains(mine, p) }) {
			return doctor.Finding{Check: "principal_user", Subject: id, State: doctor.OK, What: "you may have jobs run as the service principal"}
		}
	}
	return doctor.Finding{Check: "principal_user", Subject: id, State: doctor.Fail,
		What: "you do not have the role User on the service principal: the workspace refuses jobs that run as it",
		Cure: letUse(*rules, user)}
}

// maxGroups bounds how many groups are asked for.
const maxGroups = 100

// runnerOf collects what somebody has by their groups.
func (c *checker) runnerOf(ctx context.Context, name string, groups, own []iam.ComplexValue) runner {
	r := runner{name: name, groups: append(names(groups), everybody), entitlements: map[string]bool{}}
	for _, e := range own {
		r.entitlements[e.Value] = true
	}
	for i := 0; i < len(r.groups) && i < maxGroups; i++ { // it grows by the groups that a group is in
		found, err := c.client.GroupsV2.ListAll(ctx, iam.ListGroupsRequest{
			Filter: fmt.Sprintf("displayName eq %q", r.groups[i]), Attributes: "id,displayName,entitlements,groups"})
		if err != nil {
			continue // then it is what is its own
		}
		for _, f := range found {
			if f.DisplayName != r.groups[i] {
				continue
			}
			for _, e := range f.Entitlements {
				r.entitlements[e.Value] = true
			}
			for _, above := range names(f.Groups) {
				if !slices.Contains(r.groups, above) {
					r.groups = append(r.groups, above)
				}
			}
		}
	}
	r.admin = slices.Contains(r.groups, admins)
	return r
}

// names is the display names of groups.
func names(groups []iam.ComplexValue) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g.Display)
	}
	return all
}

// entitlements compares what the runner may do with what the jobs need.
func (c *checker) entitlements(context.Context) []doctor.Finding {
	if !c.runner.known {
		return nil // said already
	}
	var found []doctor.Finding
	need := func(entitlement, why string, red doctor.State) {
		f := doctor.Finding{Check: "entitlement", Subject: entitlement, State: doctor.OK, What: c.runner.name + " has it"}
		if !c.runner.admin && !c.runner.entitlements[entitlement] {
			f.State, f.What = red, c.runner.name+" does not have it: "+why
			f.Cure = lines(entitle(c.runner.kind, c.runner.id, entitlement))
		}
		found = append(found, f)
	}
	need(workspaceAccess, "the workspace may refuse its jobs", doctor.Warn)
	if c.freeClusters() {
		need(createClusters, "it cannot start a cluster without a policy", doctor.Fail)
		if n := len(found) - 1; found[n].State == doctor.Fail {
			found[n].Cure = lines(found[n].Cure, inPipeline("or name a policy that it may use as compute.policy_id"))
		}
	}
	if c.needs.Warehouse != "" {
		need(sqlAccess, "alerts and dashboards do not run as it", doctor.Fail)
	}
	return found
}

// freeClusters reports whether a cluster is started without a policy.
func (c *checker) freeClusters() bool {
	for _, cluster := range c.needs.Clusters {
		if cluster.Spec.PolicyId == "" {
			return true
		}
	}
	return false
}

// accessor is how an access list names somebody.
type accessor struct{ key, name string }

// accessor is how the runner is named.
func (c *checker) accessor() accessor {
	if strings.Contains(c.runner.name, "@") {
		return accessor{"user_name", c.runner.name}
	}
	return accessor{"service_principal_name", c.runner.name}
}
