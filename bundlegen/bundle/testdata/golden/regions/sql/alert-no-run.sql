-- Tiers of which no extraction has succeeded, even in part, for longer than two
-- cadences and a slow run. A new tier counts from when it was given its tags, one that
-- never had any from its job's first attempt. If last_attempt is old or missing, the
-- job does not run; otherwise its runs fail. Only the last 2 days are looked at.
WITH bounds AS (
  SELECT tier, overdue_after
  FROM (VALUES ('standard', 1200)) AS b(tier, overdue_after)
),
assigned AS (
  SELECT
    pipeline,
    tier,
    min(valid_from)                         AS assigned_at
  FROM metadata.tag_partitions
  WHERE valid_to IS NULL
    AND pipeline IN ('osipi_connector', 'osipi_connector.dev', 'osipi_connector.prod')
    AND site IN ('plant-b')
  GROUP BY pipeline, tier
),
attempts AS (
  SELECT
    pipeline,
    tier,
    max(CASE WHEN task = 'extract' AND status NOT IN ('FAILED', 'REFUSED') THEN end_time END) AS last_success,
    min(start_time)                         AS first_attempt,
    max(start_time)                         AS last_attempt
  FROM monitoring.pipeline_metrics
  WHERE start_time >= current_timestamp - INTERVAL '2' DAY
    AND pipeline IN ('osipi_connector', 'osipi_connector.dev', 'osipi_connector.prod')
    AND (site IS NULL OR site IN ('plant-b'))
    AND coalesce(run_id, '') NOT IN (SELECT coalesce(run_id, '-') FROM metadata.runs GROUP BY 1 HAVING bool_and(site NOT IN ('plant-b')))
  GROUP BY pipeline, tier
),
pipelines AS (
  SELECT pipeline FROM assigned
  UNION
  SELECT pipeline FROM attempts
)
SELECT
  p.pipeline,
  b.tier,
  t.last_success,
  t.last_attempt,
  a.assigned_at,
  CAST(b.overdue_after / 60 AS INT)       AS minutes_allowed
FROM bounds b
CROSS JOIN pipelines p
LEFT JOIN assigned a
  ON  a.pipeline = p.pipeline
  AND a.tier = b.tier
LEFT JOIN attempts t
  ON  t.pipeline = p.pipeline
  AND t.tier = b.tier
WHERE coalesce(greatest(t.last_success, a.assigned_at), t.first_attempt) < current_timestamp - b.overdue_after * INTERVAL '1' SECOND
ORDER BY p.pipeline, b.tier;
