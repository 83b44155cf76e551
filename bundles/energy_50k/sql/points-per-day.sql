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
  AND pipeline IN ('energy_50k', 'energy_50k.dev', 'energy_50k.prod')
GROUP BY partition_date, pipeline, site
ORDER BY day DESC, pipeline, site;
