-- What the last run of each tier recorded of each site. All columns: a table of an
-- older version has fewer.
SELECT r.*
FROM {metadata}.runs r
JOIN (
  SELECT
    site,
    tier,
    max(recorded_at)                        AS recorded_at
  FROM {metadata}.runs
  WHERE site IS NOT NULL
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY site, tier
) latest
  ON  latest.site = r.site
  AND latest.tier = r.tier
  AND latest.recorded_at = r.recorded_at
WHERE r.site IS NOT NULL
  AND r.pipeline = {pipeline}
  AND r.site IN ({sites})
ORDER BY r.site, r.recorded_at DESC, r.tier;
