-- Extractions of today that took longer than 300 s, the slowest first.
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
  AND duration_seconds > 300
  AND pipeline IN ('osipi_connector', 'osipi_connector.dev', 'osipi_connector.prod')
ORDER BY duration_seconds DESC, start_time, pipeline, partition_id, attempt;
