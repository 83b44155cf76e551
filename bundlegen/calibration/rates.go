package calibration

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// minHours is the shortest time from which a rate is measured.
const minHours = 0.5

// RatesQuery returns the SQL that reads, for each tag of a pipeline, its site, its
// name and its events an hour: what was landed over how long a time. Tags that
// were read for less than half an hour are left out.
func RatesQuery(pipeline string) string {
	of := "pipeline = '" + strings.ReplaceAll(pipeline, "'", "''") + "'"
	return fmt.Sprintf(`WITH read AS (
  SELECT site, point_id, max_by(tag_name, updated_at) AS tag_name, max_by(tag_webid, updated_at) AS tag_webid,
    (max(watermark_ticks) - min(from_ticks)) / 36e9 AS hours
  FROM checkpoints.tag_watermarks WHERE %[1]s AND point_id IS NOT NULL AND batch_seq > 0 GROUP BY site, point_id),
landed AS (SELECT site, tag_webid, count(*) AS events FROM bronze.pi_timeseries WHERE %[1]s GROUP BY site, tag_webid)
SELECT r.site, r.tag_name, CAST(round(coalesce(l.events, 0) / r.hours, 2) AS STRING)
FROM read r LEFT JOIN landed l ON l.site = r.site AND l.tag_webid = r.tag_webid WHERE r.hours >= %[2]g`, of, minHours)
}

// SetRates writes measured rates, the rows of RatesQuery, into tags, and returns
// how many tags have another rate now. Tags that were not measured keep theirs.
// onlySite is the site of tags that name none.
func SetRates(tags []inventory.Tag, measured [][]string, onlySite string) (changed int, err error) {
	type tag struct{ site, name string }
	rates := make(map[tag]float64, len(measured))
	for i, row := range measured {
		if len(row) != 3 {
			return 0, fmt.Errorf("rates: row %d has %d columns, not 3", i+1, len(row))
		}
		rate, err := strconv.ParseFloat(row[2], 64)
		if err != nil || rate < 0 {
			return 0, fmt.Errorf("rates: row %d: %q is no rate", i+1, row[2])
		}
		rates[tag{row[0], row[1]}] = rate
	}
	for i := range tags {
		site := tags[i].Site
		if site == "" {
			site = onlySite
		}
		if rate, ok := rates[tag{site, tags[i].Name}]; ok && rate != tags[i].EventsPerHour {
			tags[i].EventsPerHour = rate
			changed++
		}
	}
	return changed, nil
}
