-- Partitions of which the last check within a day found fewer events than PI
-- counts, by more than pipeline.yml's min_completeness allows; the worst first.
SELECT
  pipeline,
  tier,
  site,
  partition_id,
  max(checked_at)                           AS last_check,
  max_by(completeness, checked_at)          AS share,
  max_by(expected_events, checked_at)       AS expected_events,
  max_by(landed_events, checked_at)         AS landed_events,
  max_by(incomplete_tags, checked_at)       AS incomplete_tags
FROM monitoring.completeness
WHERE checked_at >= current_timestamp - INTERVAL '1' DAY
  AND pipeline IN ('spot_cost', 'spot_cost.dev', 'spot_cost.prod')
GROUP BY pipeline, tier, site, partition_id
HAVING max_by(completeness, checked_at) < 0.99
ORDER BY share, pipeline, partition_id;
