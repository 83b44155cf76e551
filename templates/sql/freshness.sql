-- How far each tier is behind now: the instant up to which its tags have been
-- landed. A watermark moves with every run, also for a tag without new events. Where
-- last_run itself is old, the job does not run.
WITH tags AS (
  SELECT
    p.pipeline,
    p.tier,
    -- whole seconds; the remainder goes first, or a quotient of this size is rounded up
    TIMESTAMP '1970-01-01 00:00:00Z'
      + CAST((w.watermark_ticks - w.watermark_ticks % 10000000) / 10000000 AS BIGINT) * INTERVAL '1' SECOND AS landed_up_to
  FROM {metadata}.tag_partitions p
  JOIN {checkpoints}.current_watermarks w
    ON  w.pipeline = p.pipeline
    AND w.site = p.site
    AND w.point_id = p.point_id
  WHERE p.valid_to IS NULL
    AND p.pipeline = {pipeline}
    AND p.site IN ({sites})
),
tiers AS (
  SELECT
    pipeline,
    tier,
    count(*)                                AS tags,
    min(landed_up_to)                       AS oldest_tag,
    max(landed_up_to)                       AS newest_tag
  FROM tags
  GROUP BY pipeline, tier
),
runs AS (
  SELECT
    pipeline,
    tier,
    max(end_time)                           AS last_run
  FROM {monitoring}.pipeline_metrics
  WHERE task = 'extract'
    AND pipeline = {pipeline}
    AND site IN ({sites})
  GROUP BY pipeline, tier
)
SELECT
  t.pipeline,
  t.tier,
  t.tags,
  t.oldest_tag,
  t.newest_tag,
  r.last_run,
  extract(DAY FROM ({now} - t.oldest_tag)) * 1440
    + extract(HOUR FROM ({now} - t.oldest_tag)) * 60
    + extract(MINUTE FROM ({now} - t.oldest_tag)) AS minutes_behind
FROM tiers t
LEFT JOIN runs r
  ON  r.pipeline = t.pipeline
  AND r.tier = t.tier
ORDER BY t.pipeline, t.tier;
