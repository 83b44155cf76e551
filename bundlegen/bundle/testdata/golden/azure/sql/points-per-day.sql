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
  AND pipeline IN ('osipi_connector', 'osipi_connector.dev', 'osipi_connector.prod')
GROUP BY partition_date, pipeline, site
ORDER BY day DESC, pipeline, site;
