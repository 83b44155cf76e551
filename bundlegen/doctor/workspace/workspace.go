// Package workspace finds out by API, without any compute, what of a workspace
// would keep a bundle from running: identities, policies, pools, secrets, the
// catalog, runtimes and machines. It reads only. What the caller may not read is
// skipped, with the reason, and never red.
package workspace

import (
	"context"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/internal/crash"
)

// Needs is what a bundle asks of its workspace, on one target.
type Needs struct {
	Principal    string // application id of the service principal that runs the jobs; "" = who deploys
	Cloud        string // aws, azure or gcp
	Catalog      string
	SchemaPrefix string
	Root         string             // the deployment's folder
	Clusters     map[string]Cluster // the specifications that its jobs use, by name
	Serverless   bool
	BudgetPolicy string                                // of serverless jobs
	Pools        map[string]compute.CreateInstancePool // that the bundle makes
	Secrets      []Secret
	Warehouse    string // that alerts and dashboards use; "" = none
}

// Cluster is a specification, and how many clusters of it run at once when all jobs do.
type Cluster struct {
	Spec  compute.ClusterSpec
	Count int
}

// Secret is one that a cluster, or a task, reads.
type Secret struct{ Scope, Key string }

// checker is what all checks share.
type checker struct {
	client *databricks.WorkspaceClient
	needs  Needs
	me     *iam.User
	runner runner
}

// runner is who runs the jobs.
type runner struct {
	name         string          // application id, or user name
	kind, id     string          // of its SCIM resource: users-v2 or service-principals-v2
	groups       []string        // that it is in, those above them, and `users`
	entitlements map[string]bool // its own, and its groups'
	admin        bool
	known        bool // its groups and entitlements could be read
}

// is reports whether an entry of an access list, with the names that it may have, is
// the runner's: its own, or of one of its groups.
func (r runner) is(principals ...string) bool {
	return slices.ContainsFunc(principals, func(p string) bool { return strings.EqualFold(p, r.name) || slices.Contains(r.groups, p) })
}

// refused makes a finding red, unless the runner's groups are not known: one of them
// may have the right.
func (r runner) refused(f doctor.Finding, what, cure string) doctor.Finding {
	if !r.known {
		f.State, f.What = doctor.Skipped, "the groups of "+r.name+" cannot be read: one of them may have the right that it has not itself"
		return f
	}
	f.State, f.What, f.Cure = doctor.Fail, what, cure
	return f
}

// atOnce bounds how many requests are under way.
const atOnce = 6

// Check makes all checks. The order of the findings is always the same. When the
// workspace does not know who asks, nothing else is asked.
func Check(ctx context.Context, client *databricks.WorkspaceClient, needs func() (Needs, error)) []doctor.Finding {
	c := &checker{client: client}
	var found []doctor.Finding
	if found = c.identity(ctx); c.me == nil {
		return found
	}
	var err error
	if c.needs, err = needs(); err != nil {
		return append(found, doctor.Finding{Check: "bundle", State: doctor.Fail, What: "the CLI does not take the bundle: " + firstLine(err),
			Cure: "bundlegen generate, then bundlegen validate -t TARGET, which says more"})
	}
	found = append(found, c.principal(ctx)...)

	checks := []func(context.Context) []doctor.Finding{
		c.entitlements, c.policies, c.pools, c.secrets, c.catalog, c.runtimes, c.machines, c.warehouse, c.serverless, c.folder,
	}
	all := make([][]doctor.Finding, len(checks))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, check := range checks {
		g.Go(func() error {
			defer crash.Exit()
			all[i] = check(ctx)
			return nil
		})
	}
	_ = g.Wait() // a check has no error: what goes wrong is a finding
	return append(found, slices.Concat(all...)...)
}
