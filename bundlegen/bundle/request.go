package bundle

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// MaxRequest is how large a job may be on the wire, in bytes. Databricks takes
// about 10 MB in a request to its Jobs API; the rest is for what the CLI adds.
const MaxRequest = 8 << 20

// CheckRequests refuses a plan with a job that the Jobs API would not take for its
// size. Nothing but the jobs is rendered for it.
func CheckRequests(cfg *config.Pipeline, p *plan.Plan) error {
	variables, err := clusterVariables(cfg, p)
	if err != nil {
		return err
	}
	sizes := map[string]int{} // of a cluster, by the reference to it
	for _, v := range variables {
		if sizes["${var."+v.Name+"}"], err = wireSize(v.Default); err != nil {
			return err
		}
	}
	all, err := jobs(cfg, p)
	if err != nil {
		return err
	}
	for _, e := range all {
		j := e.Value.(*job)
		size, err := wireSize(j)
		if err != nil {
			return err
		}
		for _, c := range j.JobClusters {
			size += sizes[c.NewCluster]
		}
		if size >= MaxRequest {
			return diag.Problem{
				Text:    fmt.Sprintf("job %s: %.1f MB of settings for %d tasks on %d clusters", e.Key, float64(size)/(1<<20), len(j.Tasks), len(j.JobClusters)),
				Allowed: fmt.Sprintf("less than %d MB, which is what the Jobs API takes in one request", MaxRequest>>20),
				Hint: "raise sizing.target_tags and sizing.max_tags for fewer partitions, write fewer or shorter compute.custom_tags," +
					" or use single_cluster or serverless",
			}
		}
	}
	return nil
}

// wireSize gives about the length of v as JSON: a line of YAML is a key and a value,
// whose indentation JSON does not have, but quotes and commas.
func wireSize(v any) (int, error) {
	const punctuation = 4
	text, err := yaml.Marshal(v)
	if err != nil {
		return 0, err
	}
	size := 0
	for line := range bytes.Lines(text) {
		size += len(bytes.TrimSpace(line)) + punctuation
	}
	return size, nil
}
