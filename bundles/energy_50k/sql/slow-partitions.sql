-- Extractions of today that took longer than 180 s, the slowest first.
SELECT
  start_time,
  pipeline,
  tier,
  site,
  partition_id,
  attempt,
  duration_seconds,
  points_ingested,
  tags_processed,
  tags_failed,
  status
FROM monitoring.pipeline_metrics
WHERE task = 'extract'
  AND start_time >= current_date
  AND duration_seconds > 180
  AND pipeline IN ('energy_50k', 'energy_50k.dev', 'energy_50k.prod')
ORDER BY duration_seconds DESC, start_time, pipeline, partition_id, attempt;
