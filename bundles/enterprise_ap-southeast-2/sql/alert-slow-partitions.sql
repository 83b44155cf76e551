-- Partitions whose extractions of the last day took longer than 300 s on
-- average, the slowest first. Batches that catch up after a pause are left out:
-- they read far more than one cadence.
SELECT
  pipeline,
  tier,
  site,
  partition_id,
  count(*)                                  AS extractions,
  round(avg(duration_seconds), 1)           AS average_seconds,
  max(duration_seconds)                     AS longest_seconds
FROM monitoring.pipeline_metrics
WHERE task = 'extract'
  AND status IN ('SUCCEEDED', 'PARTIAL')
  AND start_time >= current_timestamp - INTERVAL '1' DAY
  AND pipeline IN ('enterprise', 'enterprise.dev', 'enterprise.prod')
  AND site IN ('adelaide', 'brisbane', 'canberra')
GROUP BY pipeline, tier, site, partition_id
HAVING avg(duration_seconds) > 300
ORDER BY average_seconds DESC, pipeline, partition_id;
