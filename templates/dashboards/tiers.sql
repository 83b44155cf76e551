-- When each tier landed last: the partition that is furthest behind, and how many
-- partitions landed nothing within a week.
WITH owned AS (
  SELECT DISTINCT pipeline, tier, partition_id
  FROM {metadata}.tag_partitions
  WHERE valid_to IS NULL
    AND pipeline = {pipeline}
    AND site IN ({sites})
),
landed AS (
  SELECT pipeline, partition_id, max(end_time) AS last_landed
  FROM {monitoring}.pipeline_metrics
  WHERE task = 'extract'
    AND status NOT IN ('FAILED', 'REFUSED')
    AND start_time >= {now} - INTERVAL '7' DAY
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY pipeline, partition_id
),
tiers AS (
  SELECT
    o.tier,
    count(*)                                AS partitions,
    count(*) - count(l.last_landed)         AS silent_partitions,
    min(l.last_landed)                      AS oldest_partition,
    max(l.last_landed)                      AS newest_partition
  FROM owned o
  LEFT JOIN landed l
    ON  l.pipeline = o.pipeline
    AND l.partition_id = o.partition_id
  GROUP BY o.tier
)
SELECT
  tier,
  partitions,
  silent_partitions,
  oldest_partition,
  newest_partition,
  extract(DAY FROM ({now} - oldest_partition)) * 1440
    + extract(HOUR FROM ({now} - oldest_partition)) * 60
    + extract(MINUTE FROM ({now} - oldest_partition)) AS minutes_behind
FROM tiers
ORDER BY tier;
