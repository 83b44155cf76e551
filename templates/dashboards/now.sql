-- How it is now, in one row. Each is of the last batch, check or day, so that what
-- was mended is not shown any more.
WITH owned AS (
  SELECT DISTINCT pipeline, tier, site, partition_id
  FROM {metadata}.tag_partitions
  WHERE valid_to IS NULL
    AND pipeline = {pipeline}
    AND site IN ({sites})
),
batches AS (
  SELECT
    pipeline,
    partition_id,
    max(CASE WHEN status NOT IN ('FAILED', 'REFUSED') THEN end_time END) AS last_landed,
    max_by(coalesce(tags_failed, 0), end_time) AS tags_failed,
    avg(CASE WHEN status IN ('SUCCEEDED', 'PARTIAL') AND start_time >= {now} - INTERVAL '1' DAY THEN duration_seconds END) AS average_seconds
  FROM {monitoring}.pipeline_metrics
  WHERE task = 'extract'
    AND start_time >= {now} - INTERVAL '7' DAY
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY pipeline, partition_id
),
partitions AS (
  SELECT
    min(b.last_landed)                      AS oldest,
    count(*) - count(b.last_landed)         AS silent_partitions,
    sum(b.tags_failed)                      AS failed_tags,
    count(CASE WHEN b.average_seconds > {slow_seconds} THEN 1 END) AS slow_partitions
  FROM owned o
  LEFT JOIN batches b
    ON  b.pipeline = o.pipeline
    AND b.partition_id = o.partition_id
),
today AS (
  SELECT
    coalesce(sum(points_ingested), 0)       AS events_today,
    count(CASE WHEN status IN ('FAILED', 'REFUSED') THEN 1 END) AS failed_attempts
  FROM {monitoring}.pipeline_metrics
  WHERE end_time >= current_date
    AND pipeline = {pipeline}
    AND (site IS NULL OR site IN ({sites}))
    AND coalesce(run_id, '') NOT IN (SELECT coalesce(run_id, '-') FROM {metadata}.runs GROUP BY 1 HAVING bool_and(site NOT IN ({sites})))
),
checks AS (
  SELECT max_by(completeness, checked_at)   AS share
  FROM {monitoring}.completeness
  WHERE checked_at >= {now} - INTERVAL '7' DAY
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY pipeline, partition_id
),
worst AS (
  SELECT min(share)                         AS completeness
  FROM checks
)
SELECT
  extract(DAY FROM ({now} - p.oldest)) * 1440
    + extract(HOUR FROM ({now} - p.oldest)) * 60
    + extract(MINUTE FROM ({now} - p.oldest)) AS minutes_behind,
  t.events_today,
  p.failed_tags,
  w.completeness,
  p.slow_partitions,
  t.failed_attempts,
  p.silent_partitions
FROM partitions p
CROSS JOIN today t
CROSS JOIN worst w;
