-- Tags of each site that could not be read, in each hour of the last two days.
SELECT
  date_trunc('HOUR', occurred_at)           AS hour,
  site,
  count(DISTINCT tag_webid)                 AS tags
FROM {monitoring}.tag_errors
WHERE occurred_at >= current_date - INTERVAL '2' DAY
  AND pipeline = {pipeline}
  AND site IN ({sites})
GROUP BY date_trunc('HOUR', occurred_at), site
ORDER BY hour, site;
