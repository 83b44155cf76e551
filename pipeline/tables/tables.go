package tables

// Type is a column's type, by its name in Spark SQL.
type Type string

// The types in use.
const (
	String    Type = "STRING"
	Timestamp Type = "TIMESTAMP" // microseconds, UTC
	TinyInt   Type = "TINYINT"
	Int       Type = "INT"
	BigInt    Type = "BIGINT"
	Double    Type = "DOUBLE"
	Boolean   Type = "BOOLEAN"
	Date      Type = "DATE"
)

// Column is one column of a table.
type Column struct {
	Name    string
	Type    Type
	Comment string
}

// Table is one table.
type Table struct {
	Schema  string // without the pipeline's prefix
	Name    string
	Comment string
	Columns []Column
	Cluster []string // what the rows are laid out by, for readers that prune
}

// ColumnNames lists the table's columns by name, in the contract's order.
func (t Table) ColumnNames() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// The schemas, without a prefix.
const (
	Bronze      = "bronze"
	Metadata    = "metadata"
	Checkpoints = "checkpoints"
	Monitoring  = "monitoring"
)

// Schemas lists all schemas.
var Schemas = []string{Bronze, Metadata, Checkpoints, Monitoring}

// Timeseries holds the events themselves, one row an event.
var Timeseries = Table{
	Schema: Bronze, Name: "pi_timeseries",
	Comment: "recorded values of PI, one row an event",
	Cluster: []string{"tag_webid", "timestamp"},
	Columns: []Column{
		{"tag_webid", String, "WebID of the point as the server gave it"},
		{"tag_name", String, "name of the point when the event was read"},
		{"site", String, "site of pipeline.yml"},
		{"timestamp", Timestamp, "time of the event, microseconds, UTC"},
		{"timestamp_100ns", TinyInt, "0 to 9: what the time has beyond microseconds, in units of 100 ns"},
		{"value", Double, "the value of a numeric event"},
		{"value_text", String, "the value of a string event; the name of a digital or system state; a timestamp in RFC 3339"},
		{"value_code", Int, "the number of a digital or system state"},
		{"quality_good", Boolean, "Good, as PI reports it"},
		{"quality_questionable", Boolean, "Questionable, as PI reports it"},
		{"quality_substituted", Boolean, "Substituted, as PI reports it"},
		{"quality_annotated", Boolean, "Annotated, as PI reports it"},
		{"units", String, "engineering units of the point"},
		{"batch_id", String, "the batch that landed the row"},
		{"ingestion_timestamp", Timestamp, "when the batch was read"},
		{"partition_date", Date, "day of timestamp, UTC"},
		{"pipeline", String, "the pipeline that landed the row"},
	},
}

// TagPartitions holds which partition owned which tag, and when.
var TagPartitions = Table{
	Schema: Metadata, Name: "tag_partitions",
	Comment: "which partition owns a tag: one row for each stretch of time; history is never re-attributed",
	Columns: []Column{
		{"tag_webid", String, "WebID of the point"},
		{"tag_name", String, "name of the point"},
		{"site", String, "site of pipeline.yml"},
		{"tier", String, "cadence class"},
		{"partition_id", Int, "partition that owns the tag"},
		{"plan_id", String, "plan that said so"},
		{"valid_from", Timestamp, "from when on"},
		{"valid_to", Timestamp, "until when; null = still"},
		{"point_id", BigInt, "PI's own id of the point"},
		{"pipeline", String, "NAME, or NAME.TARGET on Databricks"},
		{"source", String, "manifest, or discovered: a point newer than the bundle"},
		{"point_type", String, "PI's type of the point"},
		{"units", String, "engineering units"},
		{"events_per_hour", Double, "expected rate; null when unknown"},
	},
}

// Tags is what an analyst needs besides bronze.
var Tags = Table{
	Schema: Metadata, Name: "tags",
	Comment: "the tags, as PI describes them now",
	Columns: []Column{
		{"tag_webid", String, "WebID of the point"},
		{"tag_name", String, "name of the point"},
		{"site", String, "site of pipeline.yml"},
		{"point_type", String, "PI's type of the point"},
		{"units", String, "engineering units"},
		{"descriptor", String, "what the point is"},
		{"digital_set", String, "name of the digital state set"},
		{"digital_states", String, "JSON object: number -> name of the state"},
		{"future", Boolean, "may hold data beyond now"},
		{"point_id", BigInt, "PI's own id of the point"},
		{"pipeline", String, "NAME, or NAME.TARGET on Databricks"},
		{"updated_at", Timestamp, "when this row was written"},
		{"removed_at", Timestamp, "when the tag left the pipeline; null = it is there"},
	},
}

// Runs holds, for each run and site, up to when is read and by which assignment.
var Runs = Table{
	Schema: Metadata, Name: "runs",
	Comment: "what each run of a job reads: recorded once by discover, used by every task, attempt and repair",
	Columns: []Column{
		{"run_id", String, "the job's run"},
		{"pipeline", String, "NAME, or NAME.TARGET on Databricks"},
		{"site", String, "site of pipeline.yml"},
		{"tier", String, "cadence class of the job"},
		{"until_ticks", BigInt, "the run reads up to this; 100 ns since 1970-01-01Z"},
		{"assigned_ticks", BigInt, "the assignment in force: valid_from <= this < valid_to"},
		{"last_point_id", BigInt, "greatest point id that the site had: a later run knows newer points by it"},
		{"skew_ticks", BigInt, "the site's clock less this machine's"},
		{"plan_id", String, "the plan of the bundle"},
		{"recorded_at", Timestamp, "when"},
		{"new_points", Int, "points of the site that the inventory should have and has not; null = not counted"},
		{"until_by", String, "what until comes from: given (--until), job (its start), server (its clock) or http (the Date of its answer)"},
		{"unresolved", Int, "tags of the bundle that the site does not have, and never had: they count as failed"},
		{"clock_doubt", String, "why the server's clock was not believed; null = it was, or was not asked for"},
	},
}

// Watermarks holds up to when each tag has been landed.
var Watermarks = Table{
	Schema: Checkpoints, Name: "tag_watermarks",
	Comment: "one row for each tag of each batch, and one with a null point for the batch itself",
	Columns: []Column{
		{"tag_webid", String, "WebID of the point"},
		{"watermark_ticks", BigInt, "landed up to and with this instant; 100 ns since 1970-01-01Z"},
		{"from_ticks", BigInt, "the batch read what is later than this"},
		{"partition_id", Int, "partition of the batch"},
		{"batch_seq", BigInt, "number of the batch in its partition; 0 = a pin: where a new tag starts"},
		{"batch_id", String, "the batch"},
		{"updated_at", Timestamp, "when"},
		{"site", String, "site of pipeline.yml"},
		{"point_id", BigInt, "PI's own id of the point; null = the row of the batch itself"},
		{"pipeline", String, "NAME, or NAME.TARGET on Databricks"},
		{"fence_ticks", BigInt, "set on a fence: attempts of runs assigned before this instant are zombies"},
		{"tag_name", String, "name of the point"},
	},
}

// Epochs holds one row: the life of the checkpoint tables.
var Epochs = Table{
	Schema: Checkpoints, Name: "epochs",
	Comment: "made with the checkpoint tables; a new epoch means that they were made again",
	Columns: []Column{
		{"epoch", String, "UUID"},
		{"created_at", Timestamp, "when"},
	},
}

// Metrics has a row for each batch, and for each attempt of a task that ended without one.
var Metrics = Table{
	Schema: Monitoring, Name: "pipeline_metrics",
	Comment: "what each task did",
	Columns: []Column{
		{"run_id", String, "the job's run"},
		{"partition_id", Int, "null for tasks other than extract"},
		{"start_time", Timestamp, ""},
		{"end_time", Timestamp, ""},
		{"duration_seconds", Int, "rounded"},
		{"tags_processed", Int, "tags that were read without an error"},
		{"points_ingested", BigInt, "events landed"},
		{
			"status",
			String,
			"SUCCEEDED; PARTIAL: some tags failed; FAILED; REFUSED: failed, and its site refused the credentials; CATCHING_UP: a batch that another follows; LAGGING: out of time, the next run goes on",
		},
		{"pipeline", String, "NAME, or NAME.TARGET on Databricks"},
		{"task", String, "discover, extract, consolidate, validate"},
		{"tier", String, "cadence class"},
		{"site", String, "site of pipeline.yml"},
		{"attempt", Int, "1, 2, 3 …"},
		{"batch_id", String, "the batch that this row stands for: it is applied"},
		{"batch_seq", BigInt, "its number"},
		{"tags_failed", Int, ""},
		{"requests", BigInt, "requests sent to PI"},
		{"error", String, "why it failed"},
		{"retries", BigInt, "requests to PI that failed and were sent again"},
	},
}

// TagErrors has a row for each tag that a batch could not read.
var TagErrors = Table{
	Schema: Monitoring, Name: "tag_errors",
	Comment: "tags that could not be read; their watermark stays where it was",
	Columns: []Column{
		{"run_id", String, ""},
		{"partition_id", Int, ""},
		{"tag_webid", String, ""},
		{"tag_name", String, ""},
		{"site", String, ""},
		{"error", String, "what PI said"},
		{"occurred_at", Timestamp, ""},
		{"watermark_ticks", BigInt, "landed up to here"},
		{"point_id", BigInt, ""},
		{"pipeline", String, ""},
		{"batch_id", String, ""},
	},
}

// Completeness compares what was landed with what PI counts.
var Completeness = Table{
	Schema: Monitoring, Name: "completeness",
	Comment: "landed events against PI's own count, a row for each partition and run",
	Columns: []Column{
		{"run_id", String, ""},
		{"partition_id", Int, ""},
		{"site", String, ""},
		{"tier", String, ""},
		{"tags_checked", Int, "a sample, or all"},
		{"expected_events", BigInt, "as PI counts them"},
		{"landed_events", BigInt, "as bronze has them"},
		{
			"completeness",
			Double,
			"1 = all, of the last range that the run landed of each tag; tags with more than PI counts do not make up for others",
		},
		{"incomplete_tags", Int, ""},
		{
			"method",
			String,
			"count: event-weighted Count summaries; reread: events read once more, the same way: what PI leaves out both times does not show",
		},
		{"checked_at", Timestamp, ""},
		{"pipeline", String, ""},
		{"uncounted_tags", Int, "tags of the sample that PI could not count: in none of the figures"},
		{"compares", String, "what is compared with what"},
	},
}

// All lists every table, in the order in which they are made.
var All = []Table{Timeseries, TagPartitions, Tags, Runs, Watermarks, Epochs, Metrics, TagErrors, Completeness}

// View is a view that users read.
type View struct {
	Schema, Name string
	// Select is its query; {schema} stands for the qualified, quoted name of a schema.
	Select string
}

// CurrentWatermarks holds the greatest watermark of each tag; a pin counts while nothing was landed.
var CurrentWatermarks = View{
	Schema: Checkpoints, Name: "current_watermarks",
	Select: `SELECT pipeline, site, point_id, max_by(tag_webid, updated_at) AS tag_webid, max_by(tag_name, updated_at) AS tag_name,
  coalesce(max(CASE WHEN batch_seq > 0 THEN watermark_ticks END), min(watermark_ticks)) AS watermark_ticks,
  max(updated_at) AS updated_at
FROM {checkpoints}.tag_watermarks WHERE point_id IS NOT NULL GROUP BY pipeline, site, point_id`,
}
