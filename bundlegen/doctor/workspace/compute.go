package workspace

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
)

// runtimes reports whether the workspace has the runtimes.
func (c *checker) runtimes(ctx context.Context) []doctor.Finding {
	wanted := map[string]bool{}
	for _, cluster := range c.needs.Clusters {
		wanted[cluster.Spec.SparkVersion] = true
	}
	delete(wanted, "")
	if len(wanted) == 0 {
		return nil
	}
	have, err := c.client.Clusters.SparkVersions(ctx)
	var found []doctor.Finding
	for _, version := range slices.Sorted(maps.Keys(wanted)) {
		switch {
		case err != nil:
			found = append(found, skipped("runtime", version, "the workspace's runtimes", err))
		case slices.ContainsFunc(have.Versions, func(v compute.SparkVersion) bool { return v.Key == version }):
			found = append(found, doctor.Finding{Check: "runtime", Subject: version, State: doctor.OK, What: "the workspace has this runtime"})
		default:
			found = append(found, doctor.Finding{Check: "runtime", Subject: version, State: doctor.Fail,
				What: "the workspace does not have this runtime",
				Cure: inPipeline("compute.spark_version: one of 17.3 or newer that `databricks clusters spark-versions` shows")})
		}
	}
	return found
}

// machines reports whether the machines may be started, and what all of them take.
func (c *checker) machines(ctx context.Context) []doctor.Finding {
	wanted := map[string]bool{}
	for _, cluster := range c.needs.Clusters {
		wanted[cluster.Spec.NodeTypeId], wanted[cluster.Spec.DriverNodeTypeId] = true, true
	}
	for _, pool := range c.needs.Pools {
		wanted[pool.NodeTypeId] = true
	}
	delete(wanted, "")
	if len(c.needs.Clusters) == 0 {
		return nil
	}
	have, err := c.client.Clusters.ListNodeTypes(ctx)
	if err != nil {
		return []doctor.Finding{skipped("node_type", "", "the workspace's machines", err)}
	}
	types := map[string]compute.NodeType{}
	for _, t := range have.NodeTypes {
		types[t.NodeTypeId] = t
	}
	var found []doctor.Finding
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		found = append(found, c.machine(name, types))
	}
	return append(found, c.quota(types))
}

func (c *checker) machine(name string, types map[string]compute.NodeType) doctor.Finding {
	f := doctor.Finding{Check: "node_type", Subject: name, State: doctor.Fail,
		Cure: inPipeline("compute.node_type: one with a local disk that `databricks clusters list-node-types` shows")}
	t, ok := types[name]
	if !ok {
		f.What = "the workspace has no such machine"
		if whose := cloudOf(name); whose != "" && whose != c.needs.Cloud {
			f.What += fmt.Sprintf(": it is one of %s, and compute.cloud is %s", whose, c.needs.Cloud)
		}
		return f
	}
	if t.NodeInfo != nil {
		for _, status := range t.NodeInfo.Status {
			switch status {
			case compute.CloudProviderNodeStatusNotEnabledOnSubscription:
				f.What = "the cloud's subscription has this machine not enabled"
				return f
			case compute.CloudProviderNodeStatusNotAvailableInRegion:
				f.What = "this region does not have this machine"
				return f
			}
		}
	}
	f.State, f.What, f.Detail = doctor.OK, "the workspace has this machine", fmt.Sprintf("%v processors", t.NumCores)
	if t.IsDeprecated {
		f.State, f.What = doctor.Warn, "this machine is deprecated: it may be gone one day"
	} else {
		f.Cure = ""
	}
	return f
}

// cloudOf is the cloud that calls machines so; "" when that does not tell.
func cloudOf(node string) string {
	family, _, dots := strings.Cut(node, ".")
	switch {
	case strings.HasPrefix(node, "Standard_"):
		return "azure"
	case dots && family != "":
		return "aws"
	case strings.Count(node, "-") >= 2:
		return "gcp"
	}
	return ""
}

// quotaPages are where each cloud shows what one may start.
var quotaPages = map[string]string{
	"aws":   "https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas",
	"azure": "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas",
	"gcp":   "https://console.cloud.google.com/iam-admin/quotas",
}

// quota is what all jobs take when they run at once. No API of the workspace tells
// what there is.
func (c *checker) quota(types map[string]compute.NodeType) doctor.Finding {
	var machines, onDemand, spot int
	unknown := map[string]bool{}
	for _, cluster := range c.needs.Clusters {
		spec := cluster.Spec
		nodes := spec.NumWorkers + 1
		if spec.NodeTypeId == "" {
			unknown[spec.InstancePoolId] = true
		}
		driver := spec.DriverNodeTypeId
		if driver == "" {
			driver = spec.NodeTypeId
		}
		machines += nodes * cluster.Count
		workerCores, driverCores := int(types[spec.NodeTypeId].NumCores), int(types[driver].NumCores)
		spots := min(spotNodes(spec), spec.NumWorkers)
		spot += spots * workerCores * cluster.Count
		onDemand += ((spec.NumWorkers-spots)*workerCores + driverCores) * cluster.Count
	}
	f := doctor.Finding{Check: "quota", Subject: c.needs.Cloud, State: doctor.OK}
	f.What = fmt.Sprintf("all jobs at once start %d machines", machines)
	if len(unknown) == 0 {
		f.What += fmt.Sprintf(" with %d vCPU on demand and %d on spot", onDemand, spot)
	}
	if c.needs.Cloud == "aws" {
		f.What += fmt.Sprintf(", and take %d addresses", 2*machines)
	}
	f.Detail = "compare it with the cloud's quotas: " + quotaPages[c.needs.Cloud]
	return f
}

// spotNodes is how many of a cluster's machines may be spot.
func spotNodes(spec compute.ClusterSpec) int {
	first, spot := 0, false
	switch {
	case spec.AwsAttributes != nil:
		first, spot = spec.AwsAttributes.FirstOnDemand, strings.HasPrefix(string(spec.AwsAttributes.Availability), "SPOT")
	case spec.AzureAttributes != nil:
		first, spot = spec.AzureAttributes.FirstOnDemand, strings.HasPrefix(string(spec.AzureAttributes.Availability), "SPOT")
	case spec.GcpAttributes != nil:
		first, spot = spec.GcpAttributes.FirstOnDemand, strings.HasPrefix(string(spec.GcpAttributes.Availability), "PREEMPTIBLE")
	}
	if !spot {
		return 0
	}
	return max(0, spec.NumWorkers+1-first)
}

// pools reports whether the pools are there, or may be made.
func (c *checker) pools(ctx context.Context) []doctor.Finding {
	ids := map[string]bool{}
	for _, cluster := range c.needs.Clusters {
		ids[cluster.Spec.InstancePoolId], ids[cluster.Spec.DriverInstancePoolId] = true, true
	}
	var found []doctor.Finding
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if id != "" && !strings.Contains(id, "${") {
			found = append(found, c.pool(ctx, id))
		}
	}
	if len(c.needs.Pools) > 0 {
		found = append(found, c.makePools(ctx))
	}
	return found
}

func (c *checker) pool(ctx context.Context, id string) doctor.Finding {
	f := doctor.Finding{Check: "pool", Subject: id, State: doctor.OK}
	pool, err := c.client.InstancePools.GetByInstancePoolId(ctx, id)
	if err != nil {
		if !missing(err) {
			return skipped("pool", id, "the pool", err)
		}
		f.State, f.What = doctor.Fail, "there is no such pool"
		f.Cure = lines(inPipeline("compute.pool.instance_pool_id: the id of one that `databricks instance-pools list` shows"))
		return f
	}
	list, err := c.client.InstancePools.GetPermissions(ctx, compute.GetInstancePoolPermissionsRequest{InstancePoolId: id})
	if err != nil {
		return skipped("pool", id, "who may take machines from the pool", err)
	}
	for _, a := range list.AccessControlList {
		if c.runner.is(a.ServicePrincipalName, a.UserName, a.GroupName) {
			f.What = fmt.Sprintf("%s may take machines from pool %q", c.runner.name, pool.InstancePoolName)
			return f
		}
	}
	if c.runner.admin {
		f.What = "an administrator may use every pool"
		return f
	}
	return c.runner.refused(f, fmt.Sprintf("%s may not take machines from pool %q", c.runner.name, pool.InstancePoolName),
		permit("instance-pools", id, c.accessor(), "CAN_ATTACH_TO"))
}

// makePools reports whether the caller may make pools, which only administrators
// and groups may.
func (c *checker) makePools(ctx context.Context) doctor.Finding {
	f := doctor.Finding{Check: "make_pools", Subject: c.me.UserName, State: doctor.OK, What: "you may make pools"}
	mine := c.runnerOf(ctx, c.me.UserName, c.me.Groups, c.me.Entitlements)
	if mine.admin || mine.entitlements[createPools] {
		return f
	}
	f.State, f.What = doctor.Fail, "you may not make pools: the deployment of the bundle's own is refused; the right is given to groups only"
	id := "GROUP_ID"
	for _, g := range c.me.Groups {
		id = g.Value
	}
	f.Cure = lines(entitle("groups-v2", id, createPools), "or have an administrator deploy")
	return f
}

// warehouse reports whether alerts and dashboards have theirs.
func (c *checker) warehouse(ctx context.Context) []doctor.Finding {
	id := c.needs.Warehouse
	if id == "" {
		return nil
	}
	f := doctor.Finding{Check: "warehouse", Subject: id, State: doctor.OK}
	w, err := c.client.Warehouses.Get(ctx, sql.GetWarehouseRequest{Id: id})
	if err != nil {
		if !missing(err) {
			return []doctor.Finding{skipped("warehouse", id, "the SQL warehouse", err)}
		}
		f.State, f.What = doctor.Fail, "there is no such SQL warehouse"
		f.Cure = lines(inPipeline("monitoring.warehouse: the id of one that `databricks warehouses list` shows"))
		return []doctor.Finding{f}
	}
	list, err := c.client.Permissions.Get(ctx, iam.GetPermissionRequest{RequestObjectType: "sql/warehouses", RequestObjectId: id})
	if err != nil {
		return []doctor.Finding{skipped("warehouse", id, "who may use the SQL warehouse", err)}
	}
	for _, a := range list.AccessControlList {
		if c.runner.is(a.ServicePrincipalName, a.UserName, a.GroupName) {
			f.What = fmt.Sprintf("%s may use warehouse %q", c.runner.name, w.Name)
			return []doctor.Finding{f}
		}
	}
	if c.runner.admin {
		f.What = "an administrator may use every warehouse"
		return []doctor.Finding{f}
	}
	return []doctor.Finding{c.runner.refused(f, fmt.Sprintf("%s may not use warehouse %q: alerts do not run", c.runner.name, w.Name),
		permit("warehouses", id, c.accessor(), "CAN_USE"))}
}

// serverless tells what no API of a workspace does.
func (c *checker) serverless(context.Context) []doctor.Finding {
	if !c.needs.Serverless {
		return nil
	}
	found := []doctor.Finding{
		{
			Check: "serverless",
			State: doctor.Skipped,
			What:  "no API of a workspace tells whether serverless compute is on, or has a network connectivity configuration; bundlegen doctor --on-cluster tries both",
		},
	}
	if c.needs.BudgetPolicy != "" {
		found = append(found, doctor.Finding{Check: "budget_policy", Subject: c.needs.BudgetPolicy, State: doctor.Skipped,
			What: "budget policies are the account's: no API of a workspace tells of them"})
	}
	return found
}
