-- Events landed in each hour of the last two days.
SELECT
  date_trunc('HOUR', end_time)              AS hour,
  tier,
  sum(points_ingested)                      AS events
FROM {monitoring}.pipeline_metrics
WHERE task = 'extract'
  AND end_time >= current_date - INTERVAL '2' DAY
  AND pipeline = {pipeline}
  AND site IN ({sites})
GROUP BY date_trunc('HOUR', end_time), tier
ORDER BY hour, tier;
