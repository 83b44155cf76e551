-- The hundred tags that failed most often in the last day, and what PI said last.
SELECT
  site,
  tag_name,
  count(*)                                  AS times,
  max(occurred_at)                          AS last_time,
  max_by(error, occurred_at)                AS last_error
FROM {monitoring}.tag_errors
WHERE occurred_at >= {now} - INTERVAL '1' DAY
  AND pipeline = {pipeline}
  AND site IN ({sites})
GROUP BY site, tag_webid, tag_name
ORDER BY times DESC, site, tag_name
LIMIT 100;
