-- The tags that the last run of their partition could not read, the first twenty,
-- and how many there are.
WITH latest AS (
  SELECT
    partition_id,
    max_by(run_id, end_time)                AS run_id
  FROM {monitoring}.pipeline_metrics
  WHERE task = 'extract'
    AND start_time >= {now} - INTERVAL '35' DAY
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY partition_id
),
failed AS (
  SELECT
    e.site,
    e.tag_name,
    max(e.occurred_at)                      AS occurred_at,
    max_by(e.error, e.occurred_at)          AS error
  FROM {monitoring}.tag_errors e
  JOIN latest l
    ON  l.partition_id = e.partition_id
    AND l.run_id = e.run_id
  WHERE e.occurred_at >= {now} - INTERVAL '35' DAY
    AND e.pipeline = {pipeline}
    AND e.site IN ({sites})
  GROUP BY e.site, e.tag_name
)
SELECT
  site,
  tag_name,
  occurred_at,
  error,
  count(*) OVER ()                          AS failed_tags
FROM failed
ORDER BY site, tag_name
LIMIT 20;
