-- The monitoring tables. The discover_tags task makes what is missing of them; run
-- this only where that task may not make tables, or to look at them before its first
-- run. It may run any number of times: what is there stays as it is.
CREATE SCHEMA IF NOT EXISTS monitoring;

-- pipeline_metrics: what each task did.
CREATE TABLE IF NOT EXISTS monitoring.pipeline_metrics (
  run_id            STRING,    -- the job's run
  partition_id      INT,       -- null for tasks other than extract
  start_time        TIMESTAMP,
  end_time          TIMESTAMP,
  duration_seconds  INT,       -- rounded
  tags_processed    INT,       -- tags that were read without an error
  points_ingested   BIGINT,    -- events landed
  status            STRING,    -- SUCCEEDED; PARTIAL: some tags failed; FAILED; REFUSED: failed, and its site refused the credentials; CATCHING_UP: a batch that another follows; LAGGING: out of time, the next run goes on
  pipeline          STRING,    -- NAME, or NAME.TARGET on Databricks
  task              STRING,    -- discover, extract, consolidate, validate
  tier              STRING,    -- cadence class
  site              STRING,    -- site of pipeline.yml
  attempt           INT,       -- 1, 2, 3 …
  batch_id          STRING,    -- the batch that this row stands for: it is applied
  batch_seq         BIGINT,    -- its number
  tags_failed       INT,
  requests          BIGINT,    -- requests sent to PI
  error             STRING,    -- why it failed
  retries           BIGINT     -- requests to PI that failed and were sent again
);

-- tag_errors: tags that could not be read; their watermark stays where it was.
CREATE TABLE IF NOT EXISTS monitoring.tag_errors (
  run_id            STRING,
  partition_id      INT,
  tag_webid         STRING,
  tag_name          STRING,
  site              STRING,
  error             STRING,    -- what PI said
  occurred_at       TIMESTAMP,
  watermark_ticks   BIGINT,    -- landed up to here
  point_id          BIGINT,
  pipeline          STRING,
  batch_id          STRING
);

-- completeness: landed events against PI's own count, a row for each partition and run.
CREATE TABLE IF NOT EXISTS monitoring.completeness (
  run_id            STRING,
  partition_id      INT,
  site              STRING,
  tier              STRING,
  tags_checked      INT,       -- a sample, or all
  expected_events   BIGINT,    -- as PI counts them
  landed_events     BIGINT,    -- as bronze has them
  completeness      DOUBLE,    -- 1 = all, of the last range that the run landed of each tag; tags with more than PI counts do not make up for others
  incomplete_tags   INT,
  method            STRING,    -- count: event-weighted Count summaries; reread: events read once more, the same way: what PI leaves out both times does not show
  checked_at        TIMESTAMP,
  pipeline          STRING,
  uncounted_tags    INT,       -- tags of the sample that PI could not count: in none of the figures
  compares          STRING     -- what is compared with what
);
