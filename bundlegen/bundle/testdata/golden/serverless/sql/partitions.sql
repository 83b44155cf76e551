-- Points and newest event of each partition, over the last week. A tag's events
-- belong to the partition that owned the tag when they were landed.
SELECT
  p.pipeline,
  p.partition_id,
  p.site,
  p.tier,
  count(DISTINCT p.point_id)                AS tags,
  count(t.tag_webid)                        AS points,
  max(t.timestamp)                          AS newest_event,
  max(t.ingestion_timestamp)                AS last_landed
FROM metadata.tag_partitions p
LEFT JOIN bronze.pi_timeseries t
  ON  t.pipeline = p.pipeline
  AND t.site = p.site
  AND t.tag_webid = p.tag_webid
  AND t.ingestion_timestamp >= p.valid_from
  AND (p.valid_to IS NULL OR t.ingestion_timestamp < p.valid_to)
  AND t.partition_date >= current_date - INTERVAL '7' DAY
WHERE TRUE
  AND p.pipeline IN ('osipi_connector', 'osipi_connector.dev', 'osipi_connector.prod')
GROUP BY p.pipeline, p.partition_id, p.site, p.tier
ORDER BY p.pipeline, p.partition_id, p.tier;
