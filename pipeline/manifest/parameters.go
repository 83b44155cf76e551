package manifest

// Task names, as entry points of the wheel and as commands of pi-extractor.
const (
	TaskDiscover    = "discover"
	TaskExtract     = "extract"
	TaskConsolidate = "consolidate"
	TaskValidate    = "validate"
)

// TaskDoctor is the wheel's entry point that checks the cluster it runs on. It is
// no task of a run, and pi-extractor's part of it takes no Parameters.
const TaskDoctor = "doctor"

// Where the shards of an extraction run.
const (
	ShardsOnExecutors = "executors"
	ShardsOnDriver    = "driver"
)

// LastStart is the share of an extract task's timeout after which it begins no
// further batch: the rest is the next run's.
const LastStart = 0.8

// StartAllowance is what a job's timeout_seconds has beyond the task's own timeout, in
// seconds: Databricks counts from the request for a cluster, which under load may stay
// PENDING for half an hour.
const StartAllowance = 1800

// Parameters is everything that a task is told by the emitted job. One struct
// serves all tasks; Args leaves out what a task has no use for.
type Parameters struct {
	Task         string // one of the Task constants; the wheel's entry point, not an argument
	Pipeline     string // NAME here, NAME.TARGET on Databricks: part of every key
	Catalog      string
	SchemaPrefix string // before bronze, metadata, checkpoints, monitoring; "" for none
	Bundle       string // the bundle's root folder
	Tier         string
	RunID        string // one a run of the job, the same for each attempt and repair
	UntilMillis  int64  // start of the job, ms since 1970; the run reads up to this less Settle
	Until        string // RFC 3339; "" = from UntilMillis; else used as given, without settle lag
	TimeoutSecs  int    // from the start of the process; 0 = none. The job's own timeout is StartAllowance longer
	Attempt      int    // 1, 2, 3 …: the task's execution count

	// extract
	Partition    int
	Site         string
	Limits       Limits  // the partition's share of the site's budget
	MaxWindow    float64 // seconds
	FailAbove    float64 // share of the partition's tags (0 to 1)
	TagsPerShard int
	Shards       string // where shards run: ShardsOnExecutors, also if "", or ShardsOnDriver where workers have no network
	// extract without an end, for a continuous tier
	Every float64 // seconds from the beginning of a loop to the next; 0 = no loop, the run's instant is discover's
	Loops float64 // seconds from the job's start on after which no loop begins; 0 = once
	Lead  bool    // the lowest partition of its site and tier: does discover's part for them

	// discover, and extract in a loop
	Backfill float64 // seconds
	Settle   float64 // seconds

	// discover, consolidate, and extract in a loop
	Layout string // of bronze: liquid or zorder

	// consolidate
	Maintenance bool // compact watermarks and optimize bronze: true for the first tier only

	// validate
	MinCompleteness float64 // 0 to 1
	SampleTags      int     // tags a partition that are counted against PI; 0 = all
}
