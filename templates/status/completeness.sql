-- What was landed against what PI counts, by the last check of each partition that
-- owns a tag.
WITH owned AS (
  SELECT DISTINCT tier, site, partition_id
  FROM {metadata}.tag_partitions
  WHERE valid_to IS NULL
    AND pipeline = {pipeline}
    AND site IN ({sites})
),
checks AS (
  SELECT
    tier,
    site,
    partition_id,
    max(checked_at)                         AS checked_at,
    max_by(tags_checked, checked_at)        AS tags_checked,
    max_by(expected_events, checked_at)     AS expected_events,
    max_by(landed_events, checked_at)       AS landed_events,
    max_by(completeness, checked_at)        AS completeness,
    max_by(incomplete_tags, checked_at)     AS incomplete_tags
  FROM {monitoring}.completeness
  WHERE checked_at >= {now} - INTERVAL '35' DAY
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY tier, site, partition_id
)
SELECT
  c.tier,
  c.site,
  max(c.checked_at)                         AS checked_at,
  sum(c.tags_checked)                       AS tags_checked,
  sum(c.expected_events)                    AS expected_events,
  sum(c.landed_events)                      AS landed_events,
  CASE WHEN sum(c.expected_events) > 0
    THEN round(sum(c.completeness * c.expected_events) / sum(c.expected_events), 6)
    ELSE min(c.completeness) END            AS completeness,
  sum(c.incomplete_tags)                    AS incomplete_tags
FROM checks c
JOIN owned o
  ON  o.tier = c.tier
  AND o.site = c.site
  AND o.partition_id = c.partition_id
GROUP BY c.tier, c.site
ORDER BY c.tier, c.site;
