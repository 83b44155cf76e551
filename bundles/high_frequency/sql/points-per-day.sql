-- Points and unique tags of each day of the last month.
SELECT
  partition_date                            AS day,
  pipeline,
  site,
  count(*)                                  AS points,
  count(DISTINCT tag_webid)                 AS tags,
  count(*) / count(DISTINCT tag_webid)      AS points_per_tag
FROM bronze.pi_timeseries
WHERE partition_date >= current_date - INTERVAL '30' DAY
  AND pipeline IN ('high_frequency', 'high_frequency.dev', 'high_frequency.prod')
GROUP BY partition_date, pipeline, site
ORDER BY day DESC, pipeline, site;
