-- Landed events as a share of PI's count, run by run over the last week, beside
-- the least that pipeline.yml allows.
WITH runs AS (
  SELECT
    max(checked_at)                         AS run,
    tier,
    CASE WHEN sum(expected_events) > 0
      THEN round(sum(completeness * expected_events) / sum(expected_events), 6)
      ELSE 1.0 END                          AS completeness
  FROM {monitoring}.completeness
  WHERE checked_at >= current_date - INTERVAL '7' DAY
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY run_id, tier
)
SELECT run, tier AS line, completeness
FROM runs
UNION ALL
SELECT run, 'least allowed' AS line, CAST({min_completeness} AS DOUBLE) AS completeness
FROM runs
ORDER BY run, line, completeness;
