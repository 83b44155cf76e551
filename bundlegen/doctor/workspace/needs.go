package workspace

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/databricks/cli/bundle/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// NeedsOf reads what a bundle asks of its workspace from what would be deployed.
func NeedsOf(root *config.Root, cloud string) (Needs, error) {
	n := Needs{
		Cloud: cloud, Catalog: variable(root, "catalog"), SchemaPrefix: variable(root, "schema_prefix"), Root: root.Workspace.RootPath,
		Clusters: map[string]Cluster{}, Pools: map[string]compute.CreateInstancePool{},
	}
	if root.RunAs != nil {
		n.Principal = root.RunAs.ServicePrincipalName
	}
	names := map[string]string{} // of a specification, by its JSON
	for _, key := range slices.Sorted(maps.Keys(root.Resources.Jobs)) {
		job := root.Resources.Jobs[key]
		checks := isDoctor(job.JobSettings)
		for _, c := range job.JobClusters {
			spec, err := json.Marshal(c.NewCluster)
			if err != nil {
				return n, err
			}
			name, seen := names[string(spec)]
			if !seen {
				name = fmt.Sprintf("%s of job %s", c.JobClusterKey, key)
				names[string(spec)] = name
			}
			cluster := n.Clusters[name]
			cluster.Spec = c.NewCluster
			if !checks {
				cluster.Count++
			}
			n.Clusters[name] = cluster
			n.Secrets = append(n.Secrets, secretsOf(c.NewCluster)...)
		}
		for _, t := range job.Tasks {
			n.Serverless = n.Serverless || t.EnvironmentKey != ""
			if t.PythonWheelTask != nil {
				n.Secrets = append(n.Secrets, secretsOfTask(t.PythonWheelTask.Parameters)...)
			}
		}
		if job.BudgetPolicyId != "" {
			n.BudgetPolicy = job.BudgetPolicyId
		}
	}
	for key, pool := range root.Resources.InstancePools {
		n.Pools[key] = pool.CreateInstancePool
	}
	for _, alert := range root.Resources.Alerts {
		n.Warehouse = alert.WarehouseId
	}
	return n, nil
}

// isDoctor reports whether a job is the one that checks a cluster, which never runs
// beside the others.
func isDoctor(job jobs.JobSettings) bool {
	return slices.ContainsFunc(job.Tasks, func(t jobs.Task) bool {
		return t.PythonWheelTask != nil && t.PythonWheelTask.EntryPoint == manifest.TaskDoctor
	})
}

func variable(root *config.Root, name string) string {
	v, ok := root.Variables[name]
	if !ok || v == nil {
		return ""
	}
	if v.Value != nil {
		return fmt.Sprint(v.Value)
	}
	if v.Default != nil {
		return fmt.Sprint(v.Default)
	}
	return ""
}

// secretReference is how a cluster names a secret in its environment.
var secretReference = regexp.MustCompile(`^\{\{secrets/([^/{}]+)/([^/{}]+)\}\}$`)

func secretsOf(spec compute.ClusterSpec) []Secret {
	var all []Secret
	for _, name := range slices.Sorted(maps.Keys(spec.SparkEnvVars)) {
		if m := secretReference.FindStringSubmatch(spec.SparkEnvVars[name]); m != nil {
			all = append(all, Secret{m[1], m[2]})
		}
	}
	return all
}

// secretsOfTask are those that the doctor's task compares: --secret=VARIABLE=SCOPE/KEY.
func secretsOfTask(parameters []string) []Secret {
	var all []Secret
	for _, p := range parameters {
		text, ok := strings.CutPrefix(p, "--secret=")
		_, text, named := strings.Cut(text, "=")
		scope, key, whole := strings.Cut(text, "/")
		if ok && named && whole {
			all = append(all, Secret{scope, key})
		}
	}
	return all
}
