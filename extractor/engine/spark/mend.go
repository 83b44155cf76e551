package spark

import (
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
)

// Mend implements engine.Upkeep.
func (e *Engine) Mend(site string, b batch.Bounds, before, beyond bool) string {
	return "pause the pipeline's jobs; in a notebook or the SQL editor:\n" + strings.Join(e.mend(site, b, before, beyond), ";\n") + ";\nthen run the jobs again"
}

// mend returns the statements of Mend. Nothing was read before 1970: such tags
// begin anew, as new ones do. A tag that is ahead goes back to its last event in
// bronze, up to which it was read for certain; forecasts beyond the bounds go, and
// are read again when their time comes.
func (e *Engine) mend(site string, b batch.Bounds, before, beyond bool) (out []string) {
	of := fmt.Sprintf("pipeline = %s AND site = %s", literal(e.Options.Pipeline), literal(site))
	tags := of + " AND point_id IS NOT NULL"
	ahead := fmt.Sprintf("watermark_ticks > %d", b.Last)
	if before {
		out = append(out, fmt.Sprintf("DELETE FROM {checkpoints.tag_watermarks} WHERE %s AND watermark_ticks < %d", tags, b.First))
	}
	if beyond {
		out = append(out,
			fmt.Sprintf("DELETE FROM {bronze.pi_timeseries} WHERE %s AND `timestamp` > timestamp_micros(%d)", of, micros(b.Last)),
			fmt.Sprintf("MERGE INTO {checkpoints.tag_watermarks} w USING (\n"+
				"  SELECT pipeline AS p, site AS s, tag_webid AS t, max(unix_micros(`timestamp`) * 10 + timestamp_100ns) AS last FROM {bronze.pi_timeseries} WHERE %s GROUP BY ALL) b\n"+
				"ON w.pipeline = b.p AND w.site = b.s AND w.tag_webid = b.t AND w.point_id IS NOT NULL AND w.%s\n"+
				"WHEN MATCHED THEN UPDATE SET watermark_ticks = b.last, from_ticks = least(w.from_ticks, b.last)", of, ahead),
			fmt.Sprintf("DELETE FROM {checkpoints.tag_watermarks} WHERE %s AND %s AND from_ticks > %d", tags, ahead, b.Last),
			fmt.Sprintf("UPDATE {checkpoints.tag_watermarks} SET watermark_ticks = from_ticks WHERE %s AND %s", tags, ahead))
	}
	for i := range out {
		out[i] = e.expand(out[i])
	}
	return out
}
