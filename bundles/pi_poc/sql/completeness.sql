-- What was landed against what PI counts, by day and site, over the last month.
-- A share of less than 1 has tags with fewer events than PI: see monitoring.tag_errors.
SELECT
  CAST(checked_at AS DATE)                  AS day,
  pipeline,
  site,
  tier,
  sum(tags_checked)                         AS tags_checked,
  sum(incomplete_tags)                      AS incomplete_tags,
  sum(expected_events)                      AS expected_events,
  sum(landed_events)                        AS landed_events,
  min(completeness)                         AS worst_partition
FROM monitoring.completeness
WHERE checked_at >= current_date - INTERVAL '30' DAY
  AND pipeline IN ('pi_poc', 'pi_poc.dev', 'pi_poc.prod')
GROUP BY CAST(checked_at AS DATE), pipeline, site, tier
ORDER BY day DESC, pipeline, site, tier;
