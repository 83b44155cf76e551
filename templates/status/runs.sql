-- The last ten runs, the latest first. A partition counts as its last attempt says.
WITH tasks AS (
  SELECT
    run_id,
    tier,
    task,
    site,
    partition_id,
    min(start_time)                         AS started,
    max(end_time)                           AS ended,
    sum(points_ingested)                    AS events,
    max_by(status, end_time)                AS status,
    max_by(error, end_time)                 AS error
  FROM {monitoring}.pipeline_metrics
  WHERE start_time >= {now} - INTERVAL '35' DAY
    AND run_id IS NOT NULL
    AND pipeline = {pipeline}
    AND (site IS NULL OR site IN ({sites}))
    AND coalesce(run_id, '') NOT IN (SELECT coalesce(run_id, '-') FROM {metadata}.runs GROUP BY 1 HAVING bool_and(site NOT IN ({sites})))
  GROUP BY run_id, tier, task, site, partition_id
)
SELECT
  run_id,
  tier,
  min(started)                              AS started,
  max(ended)                                AS ended,
  sum(CASE WHEN task = 'extract' THEN events ELSE 0 END) AS events,
  count(CASE WHEN task = 'extract' THEN 1 END) AS partitions,
  count(CASE WHEN task = 'extract' AND status IN ('FAILED', 'REFUSED') THEN 1 END) AS failed_partitions,
  count(CASE WHEN status = 'PARTIAL' THEN 1 END) AS partial_tasks,
  count(CASE WHEN status IN ('LAGGING', 'CATCHING_UP') THEN 1 END) AS lagging_partitions,
  count(CASE WHEN task <> 'extract' AND status IN ('FAILED', 'REFUSED') THEN 1 END) AS failed_tasks,
  max(CASE WHEN status IN ('FAILED', 'REFUSED') THEN error END) AS error
FROM tasks
GROUP BY run_id, tier
ORDER BY ended DESC, run_id, tier
LIMIT 10;
