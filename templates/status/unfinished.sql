-- Partitions with a batch that is decided and not yet applied: the next run does
-- that, before it reads.
SELECT DISTINCT w.partition_id
FROM {checkpoints}.tag_watermarks w
LEFT JOIN {monitoring}.pipeline_metrics m
  ON  m.pipeline = w.pipeline
  AND m.partition_id = w.partition_id
  AND m.batch_id = w.batch_id
WHERE w.point_id IS NULL
  AND w.fence_ticks IS NULL
  AND m.batch_id IS NULL
  AND w.pipeline = {pipeline}
  AND (w.site IS NULL OR w.site IN ({sites}))
ORDER BY w.partition_id;
