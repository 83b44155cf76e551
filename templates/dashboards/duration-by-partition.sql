-- How long the extractions of each partition took in the last day, beside the
-- limit of the alert.
SELECT
  lpad(CAST(partition_id AS STRING), 4, '0') AS partition_number,
  round(avg(duration_seconds), 1)           AS average_seconds,
  max(duration_seconds)                     AS longest_seconds,
  {slow_seconds}                            AS limit_seconds
FROM {monitoring}.pipeline_metrics
WHERE task = 'extract'
  AND status IN ('SUCCEEDED', 'PARTIAL')
  AND start_time >= {now} - INTERVAL '1' DAY
  AND pipeline = {pipeline}
  AND site IN ({sites})
GROUP BY partition_id
ORDER BY partition_id;
