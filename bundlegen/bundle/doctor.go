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

	// doctorSeconds is what the checks may take; a cluster that is slow to start
	// takes its own time beside that.
	doctorSeconds        = 1200
	doctorStartAllowance = 1800
)

// DoctorKey is the key of the job that checks a cluster before anything lands.
func DoctorKey(cfg *config.Pipeline) string { return cfg.Name + "_doctor" }

// doctor makes the job that `bundlegen doctor --on-cluster` starts. It has no
// schedule, and no retry: a check that fails would fail again.
func doctor(cfg *config.Pipeline) (*job, error) {
	secrets, err := secretsOfAll(cfg.Sites)
	if err != nil {
		return nil, err
	}
	j := &job{
		Name:              DoctorKey(cfg),
		Description:       "Checks what the jobs of " + cfg.Name + " need of a cluster; lands nothing",
		MaxConcurrentRuns: 1,
		Queue:             &queue{Enabled: false},
	}
	t := task{
		Key:            taskDoctor,
		TimeoutSeconds: doctorSeconds + doctorStartAllowance,
		PythonWheel:    &pythonWheel{Package: wheel.Package, EntryPoint: manifest.TaskDoctor},
	}
	for _, name := range []string{"pipeline", "catalog", "schema-prefix", "bundle"} {
		t.PythonWheel.Parameters = append(t.PythonWheel.Parameters, "--"+name+"="+references[name])
	}
	shards := manifest.ShardsOnExecutors
	if cfg.Compute.Serverless {
		shards = manifest.ShardsOnDriver
	}
	t.PythonWheel.Parameters = append(t.PythonWheel.Parameters, "--shards="+shards)
	for _, s := range secrets {
		if s.Secret != "" {
			t.PythonWheel.Parameters = append(t.PythonWheel.Parameters, "--secret="+s.Env+"="+s.Secret)
		}
	}
	if cfg.Compute.Serverless {
		t.Environment = environmentKey
		j.Environments = []environment{{
			Key:  environmentKey,
			Spec: environmentSpec{Version: environment4, Dependencies: []string{wheelGlob}},
		}}
	} else {
		t.JobCluster = doctorClusterKey
		t.Libraries = []library{{Wheel: wheelGlob}}
		j.JobClusters = []jobCluster{{Key: doctorClusterKey, NewCluster: "${var." + doctorClusterName + "}"}}
	}
	j.Tasks = []task{t}
	return j, nil
}

// doctorCluster is the specification of the doctor's cluster: an extraction's, with
// one worker at most, and the secrets of all sites.
func doctorCluster(cfg *config.Pipeline, p *plan.Plan, secrets []secretEnv) clusterVariable {
	workers := 0
	for _, part := range p.Partitions {
		workers = max(workers, min(1, part.Workers))
	}
	return extractionCluster(cfg, doctorClusterName, "Checks before anything lands: "+workersText(cfg, workers), workers, secrets)
}
