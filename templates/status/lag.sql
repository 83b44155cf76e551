-- Up to when each tier's tags of each site are landed: 100 ns since 1970, of the
-- tag that is furthest and of the one that is furthest behind.
WITH tags AS (
  SELECT
    p.tier,
    p.site,
    p.tag_name,
    w.watermark_ticks
  FROM {metadata}.tag_partitions p
  LEFT JOIN {checkpoints}.current_watermarks w
    ON  w.pipeline = p.pipeline
    AND w.site = p.site
    AND w.point_id = p.point_id
  WHERE p.valid_to IS NULL
    AND p.pipeline = {pipeline}
    AND p.site IN ({sites})
),
sites AS (
  SELECT
    tier,
    site,
    count(*)                                AS tags,
    count(*) - count(watermark_ticks)       AS tags_without,
    max(watermark_ticks)                    AS newest_ticks,
    min(watermark_ticks)                    AS oldest_ticks
  FROM tags
  GROUP BY tier, site
)
SELECT
  s.tier,
  s.site,
  s.tags,
  s.tags_without,
  s.newest_ticks,
  s.oldest_ticks,
  min(t.tag_name)                           AS oldest_tag
FROM sites s
LEFT JOIN tags t
  ON  t.tier = s.tier
  AND t.site = s.site
  AND t.watermark_ticks = s.oldest_ticks
GROUP BY s.tier, s.site, s.tags, s.tags_without, s.newest_ticks, s.oldest_ticks
ORDER BY s.tier, s.site;
