package bundle

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

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
	Name                 string                `yaml:"name,omitempty"`
	Description          string                `yaml:"description,omitempty"`
	Tags                 map[string]string     `yaml:"tags,omitempty"`
	Schedule             *schedule             `yaml:"schedule,omitempty"`
	Continuous           *continuous           `yaml:"continuous,omitempty"`
	MaxConcurrentRuns    int                   `yaml:"max_concurrent_runs,omitempty"`
	Queue                *queue                `yaml:"queue,omitempty"`
	Health               *health               `yaml:"health,omitempty"`
	EmailNotifications   *notifications        `yaml:"email_notifications,omitempty"`
	WebhookNotifications *notifications        `yaml:"webhook_notifications,omitempty"`
	NotificationSettings *notificationSettings `yaml:"notification_settings,omitempty"`
	Parameters           []parameter           `yaml:"parameters,omitempty"`
	Environments         []environment         `yaml:"environments,omitempty"`
	JobClusters          []jobCluster          `yaml:"job_clusters,omitempty"`
	Tasks                []task                `yaml:"tasks,omitempty"`
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

// notificationSettings switches notifications off.
type notificationSettings struct {
	NoAlertForSkipped bool `yaml:"no_alert_for_skipped_runs"`
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
	SparkVersion     string `yaml:"spark_version"`
	NodeType         string `yaml:"node_type_id,omitempty"`
	DriverNodeType   string `yaml:"driver_node_type_id,omitempty"`
	Pool             string `yaml:"instance_pool_id,omitempty"`
	DriverPool       string `yaml:"driver_instance_pool_id,omitempty"`
	Policy           string `yaml:"policy_id,omitempty"`
	Workers          int    `yaml:"num_workers"`
	DataSecurityMode string `yaml:"data_security_mode"`
	RuntimeEngine    string `yaml:"runtime_engine,omitempty"`
	ElasticDisk      bool   `yaml:"enable_elastic_disk,omitempty"`
	cloudAttributes  `yaml:",inline"`
	SparkConf        map[string]string `yaml:"spark_conf,omitempty"`
	SparkEnv         map[string]string `yaml:"spark_env_vars,omitempty"`
	CustomTags       map[string]string `yaml:"custom_tags,omitempty"`
}

type instancePool struct {
	Name            string `yaml:"instance_pool_name,omitempty"`
	NodeType        string `yaml:"node_type_id,omitempty"`
	MinIdle         int    `yaml:"min_idle_instances,omitempty"`
	IdleMinutes     int    `yaml:"idle_instance_autotermination_minutes,omitempty"`
	ElasticDisk     bool   `yaml:"enable_elastic_disk,omitempty"`
	cloudAttributes `yaml:",inline"`
	CustomTags      map[string]string `yaml:"custom_tags,omitempty"`
	PreloadedSparks []string          `yaml:"preloaded_spark_versions,omitempty"`
}

// alert is an alert's settings, or, under a target, what that target says otherwise.
type alert struct {
	Name        string           `yaml:"display_name,omitempty"`
	Summary     string           `yaml:"custom_summary,omitempty"`
	Description string           `yaml:"custom_description,omitempty"`
	Warehouse   string           `yaml:"warehouse_id,omitempty"`
	Schedule    *alertSchedule   `yaml:"schedule,omitempty"`
	Evaluation  *alertEvaluation `yaml:"evaluation,omitempty"`
	Query       string           `yaml:"query_text,omitempty"`
}

type alertSchedule struct {
	Cron        string `yaml:"quartz_cron_schedule,omitempty"`
	Timezone    string `yaml:"timezone_id,omitempty"`
	PauseStatus string `yaml:"pause_status,omitempty"`
}

type alertEvaluation struct {
	Source    alertColumn       `yaml:"source"`
	Operator  string            `yaml:"comparison_operator"`
	Threshold alertThreshold    `yaml:"threshold"`
	WhenEmpty string            `yaml:"empty_result_state"`
	Notify    alertNotification `yaml:"notification"`
}

type alertColumn struct {
	Name        string `yaml:"name"`
	Aggregation string `yaml:"aggregation"`
}

type alertThreshold struct {
	Value alertValue `yaml:"value"`
}

type alertValue struct {
	Double float64 `yaml:"double_value"`
}

type alertNotification struct {
	OnOK      bool           `yaml:"notify_on_ok"`
	Retrigger int            `yaml:"retrigger_seconds"`
	Whom      []subscription `yaml:"subscriptions,omitempty"`
}

type subscription struct {
	Email       string `yaml:"user_email,omitempty"`
	Destination string `yaml:"destination_id,omitempty"`
}

type dashboardSettings struct {
	Name        string            `yaml:"display_name"`
	Warehouse   string            `yaml:"warehouse_id"`
	File        string            `yaml:"file_path"`
	Permissions []groupPermission `yaml:"permissions"`
}

type groupPermission struct {
	Group string `yaml:"group_name"`
	Level string `yaml:"level"`
}

// ordered is a mapping that is written in its own order.
type ordered []entry

type entry struct {
	Key   string
	Value any
}

// yamlFile is a YAML file being written: top-level keys, an empty line between them.
type yamlFile struct {
	buf bytes.Buffer
	err error
}

// comment writes lines of comment, each behind #.
func (y *yamlFile) comment(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		y.buf.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

// section writes one top-level key, under a comment if there is one.
func (y *yamlFile) section(comment, key string, value any) {
	if y.buf.Len() > 0 {
		y.buf.WriteByte('\n')
	}
	if comment != "" {
		y.comment("%s", comment)
	}
	y.entry(0, key, value)
}

const indent = 2

// encoded is the YAML of a mapping, written as it is.
type encoded []byte

// encode encodes a value on its own.
func encode(value any) (encoded, error) {
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(indent)
	err := e.Encode(value)
	return text.Bytes(), err
}

// entry writes a key and its value. An ordered mapping is written entry by
// entry: the encoder knows mappings of its own order only as trees, which take
// three times as long.
func (y *yamlFile) entry(depth int, key string, value any) {
	switch v := value.(type) {
	case encoded:
		y.key(depth, key)
		y.lines(depth+indent, v)
	case ordered:
		if len(v) == 0 {
			y.value(depth, key, struct{}{})
			return
		}
		y.key(depth, key)
		for _, e := range v {
			y.entry(depth+indent, e.Key, e.Value)
		}
	default:
		y.value(depth, key, value)
	}
}

// key writes a key whose value follows on the next lines.
func (y *yamlFile) key(depth int, key string) {
	text := y.encode(map[string]any{key: nil})
	y.lines(depth, append(bytes.TrimSuffix(text, []byte(" null\n")), '\n'))
}

// value writes a key and its value.
func (y *yamlFile) value(depth int, key string, value any) {
	y.lines(depth, y.encode(map[string]any{key: value}))
}

// encode encodes a value and keeps the first error.
func (y *yamlFile) encode(value any) encoded {
	text, err := encode(value)
	if err != nil && y.err == nil {
		y.err = err
	}
	return text
}

// lines writes encoded lines, indented.
func (y *yamlFile) lines(depth int, text encoded) {
	for line := range bytes.Lines(text) {
		if string(line) != "\n" { // an empty line of a text
			y.buf.Write(bytes.Repeat([]byte(" "), depth))
		}
		y.buf.Write(line)
	}
}

func (y *yamlFile) file(path string) (File, error) {
	return File{Path: path, Data: y.buf.Bytes()}, y.err
}
