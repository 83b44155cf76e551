package bundle

// The part of the bundle's YAML that is emitted, field by field in the order in
// which it is written. Names are the CLI's. The CLI's own structs have no yaml
// tags and no fixed order, which is why these stand here.

type header struct {
	Name       string `yaml:"name"`
	Engine     string `yaml:"engine"`
	CLIVersion string `yaml:"databricks_cli_version"`
}

type experimental struct {
	SkipArtifactCleanup bool `yaml:"skip_artifact_cleanup"`
}

type syncFiles struct {
	Include []string `yaml:"include"`
}

type variable struct {
	Description string `yaml:"description,omitempty"`
	Type        string `yaml:"type,omitempty"`
	Default     any    `yaml:"default"`
}

type artifact struct {
	Type  string         `yaml:"type"`
	Path  string         `yaml:"path"`
	Build string         `yaml:"build"`
	Files []artifactFile `yaml:"files"`
}

type artifactFile struct {
	Source string `yaml:"source"`
}

type target struct {
	Mode        string            `yaml:"mode"`
	Default     bool              `yaml:"default,omitempty"`
	Workspace   *workspace        `yaml:"workspace,omitempty"`
	RunAs       *principal        `yaml:"run_as,omitempty"`
	Permissions []permission      `yaml:"permissions,omitempty"`
	Variables   map[string]string `yaml:"variables,omitempty"`
	Resources   *resources        `yaml:"resources,omitempty"`
}

type workspace struct {
	Host     string `yaml:"host,omitempty"`
	RootPath string `yaml:"root_path,omitempty"`
}

type principal struct {
	ServicePrincipal string `yaml:"service_principal_name"`
}

type permission struct {
	ServicePrincipal string `yaml:"service_principal_name"`
	Level            string `yaml:"level"`
}

type resources struct {
	Jobs          map[string]*job          `yaml:"jobs,omitempty"`
	InstancePools map[string]*instancePool `yaml:"instance_pools,omitempty"`
	Alerts        map[string]*alert        `yaml:"alerts,omitempty"`
}

// job is a job's settings, or, under a target, what that target says otherwise.
type job struct {
	Name                 string         `yaml:"name,omitempty"`
	Description          string         `yaml:"description,omitempty"`
	Schedule             *schedule      `yaml:"schedule,omitempty"`
	Continuous           *continuous    `yaml:"continuous,omitempty"`
	MaxConcurrentRuns    int            `yaml:"max_concurrent_runs,omitempty"`
	Queue                *queue         `yaml:"queue,omitempty"`
	Health               *health        `yaml:"health,omitempty"`
	EmailNotifications   *notifications `yaml:"email_notifications,omitempty"`
	WebhookNotifications *notifications `yaml:"webhook_notifications,omitempty"`
	Mute                 *mute          `yaml:"notification_settings,omitempty"`
	Parameters           []parameter    `yaml:"parameters,omitempty"`
	Environments         []environment  `yaml:"environments,omitempty"`
	JobClusters          []jobCluster   `yaml:"job_clusters,omitempty"`
	Tasks                []task         `yaml:"tasks,omitempty"`
}

type schedule struct {
	Cron        string `yaml:"quartz_cron_expression,omitempty"`
	Timezone    string `yaml:"timezone_id,omitempty"`
	PauseStatus string `yaml:"pause_status,omitempty"`
}

type continuous struct {
	PauseStatus   string `yaml:"pause_status,omitempty"`
	TaskRetryMode string `yaml:"task_retry_mode,omitempty"`
}

type queue struct {
	Enabled bool `yaml:"enabled"`
}

type health struct {
	Rules []healthRule `yaml:"rules"`
}

type healthRule struct {
	Metric string `yaml:"metric"`
	Op     string `yaml:"op"`
	Value  int    `yaml:"value"`
}

// notifications holds addresses (strings) or webhooks (webhook).
type notifications struct {
	OnFailure  []any `yaml:"on_failure"`
	OnDuration []any `yaml:"on_duration_warning_threshold_exceeded,omitempty"`
}

// mute is of what nobody is told.
type mute struct {
	Skipped bool `yaml:"no_alert_for_skipped_runs"`
}

type webhook struct {
	ID string `yaml:"id"`
}

type parameter struct {
	Name    string `yaml:"name"`
	Default string `yaml:"default"`
}

type environment struct {
	Key  string          `yaml:"environment_key"`
	Spec environmentSpec `yaml:"spec"`
}

type environmentSpec struct {
	Version      string   `yaml:"environment_version"`
	Dependencies []string `yaml:"dependencies"`
}

type jobCluster struct {
	Key        string `yaml:"job_cluster_key"`
	NewCluster string `yaml:"new_cluster"` // always a reference to a complex variable
}

type task struct {
	Key             string       `yaml:"task_key"`
	DependsOn       []dependency `yaml:"depends_on,omitempty"`
	RunIf           string       `yaml:"run_if,omitempty"`
	JobCluster      string       `yaml:"job_cluster_key,omitempty"`
	Environment     string       `yaml:"environment_key,omitempty"`
	PythonWheel     *pythonWheel `yaml:"python_wheel_task,omitempty"`
	RunJob          *runJob      `yaml:"run_job_task,omitempty"`
	Libraries       []library    `yaml:"libraries,omitempty"`
	MaxRetries      int          `yaml:"max_retries,omitempty"`
	RetryAfterMilli int          `yaml:"min_retry_interval_millis,omitempty"`
	RetryOnTimeout  bool         `yaml:"retry_on_timeout,omitempty"`
	TimeoutSeconds  int          `yaml:"timeout_seconds"`
}

type dependency struct {
	Task string `yaml:"task_key"`
}

type pythonWheel struct {
	Package    string   `yaml:"package_name"`
	EntryPoint string   `yaml:"entry_point"`
	Parameters []string `yaml:"parameters"`
}

type runJob struct {
	JobID      string            `yaml:"job_id"`
	Parameters map[string]string `yaml:"job_parameters"`
}

type library struct {
	Wheel string `yaml:"whl"`
}

// cluster is the default of a complex variable.
type cluster struct {
	SparkVersion     string            `yaml:"spark_version"`
	NodeType         string            `yaml:"node_type_id,omitempty"`
	DriverNodeType   string            `yaml:"driver_node_type_id,omitempty"`
	Pool             string            `yaml:"instance_pool_id,omitempty"`
	DriverPool       string            `yaml:"driver_instance_pool_id,omitempty"`
	Policy           string            `yaml:"policy_id,omitempty"`
	Workers          int               `yaml:"num_workers"`
	DataSecurityMode string            `yaml:"data_security_mode"`
	RuntimeEngine    string            `yaml:"runtime_engine,omitempty"`
	ElasticDisk      bool              `yaml:"enable_elastic_disk,omitempty"`
	AWS              *awsAttributes    `yaml:"aws_attributes,omitempty"`
	Azure            *azureAttributes  `yaml:"azure_attributes,omitempty"`
	GCP              *gcpAttributes    `yaml:"gcp_attributes,omitempty"`
	SparkConf        map[string]string `yaml:"spark_conf,omitempty"`
	SparkEnv         map[string]string `yaml:"spark_env_vars,omitempty"`
	CustomTags       map[string]string `yaml:"custom_tags,omitempty"`
}

type instancePool struct {
	Name            string             `yaml:"instance_pool_name,omitempty"`
	NodeType        string             `yaml:"node_type_id,omitempty"`
	MinIdle         int                `yaml:"min_idle_instances,omitempty"`
	IdleMinutes     int                `yaml:"idle_instance_autotermination_minutes,omitempty"`
	ElasticDisk     bool               `yaml:"enable_elastic_disk,omitempty"`
	AWS             *awsAttributes     `yaml:"aws_attributes,omitempty"`
	Azure           *azureAttributes   `yaml:"azure_attributes,omitempty"`
	GCP             *gcpPoolAttributes `yaml:"gcp_attributes,omitempty"`
	CustomTags      map[string]string  `yaml:"custom_tags,omitempty"`
	PreloadedSparks []string           `yaml:"preloaded_spark_versions,omitempty"`
}
