package bundle

import (
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	doctorClusterName = "doctor_cluster" // complex variable
	doctorClusterKey  = "doctor"
	taskDoctor        = "doctor"

	doctorSeconds = 1200 // what the checks may take
)

// DoctorKey is the key of the job that checks a cluster before anything lands.
func DoctorKey(cfg *config.Pipeline) string { return cfg.Name + "_doctor" }

// doctor makes the job that `bundlegen doctor --on-cluster` starts. It has no
// schedule, and no retry: a check that fails would fail again.
func doctor(cfg *config.Pipeline) *job {
	j := &job{
		Name:              DoctorKey(cfg),
		Description:       "Checks what the jobs of " + cfg.Name + " need of a cluster; lands nothing",
		Tags:              jobTags(cfg),
		MaxConcurrentRuns: 1,
		Queue:             &queue{Enabled: false},
		Environments:      environments(cfg),
	}
	t := task{
		Key:            taskDoctor,
		TimeoutSeconds: doctorSeconds + manifest.StartAllowance,
		PythonWheel:    &pythonWheel{Package: wheel.Package, EntryPoint: manifest.TaskDoctor},
	}
	for _, name := range []string{"pipeline", "catalog", "schema-prefix", "bundle"} {
		t.PythonWheel.Parameters = append(t.PythonWheel.Parameters, "--"+name+"="+references[name])
	}
	t.PythonWheel.Parameters = append(t.PythonWheel.Parameters, "--shards="+shards(cfg))
	for _, s := range config.Secrets(cfg.Sites) {
		if s.Secret.Secret != "" {
			t.PythonWheel.Parameters = append(t.PythonWheel.Parameters, "--secret="+s.Secret.Env+"="+s.Secret.Secret)
		}
	}
	t.runsOn(cfg, doctorClusterKey)
	if t.JobCluster != "" {
		j.JobClusters = []jobCluster{{Key: doctorClusterKey, NewCluster: "${var." + doctorClusterName + "}"}}
	}
	j.Tasks = []task{t}
	return j
}

// doctorCluster is the specification of the doctor's cluster: an extraction's, with
// one worker at most, and the secrets of all sites.
func doctorCluster(cfg *config.Pipeline, p *plan.Plan, secrets []config.SiteSecret) clusterVariable {
	workers := 0
	for _, part := range p.Partitions {
		workers = max(workers, min(1, part.Workers))
	}
	return extractionCluster(cfg, doctorClusterName, "Checks before anything lands: "+workersText(cfg, workers), workers, secrets)
}
