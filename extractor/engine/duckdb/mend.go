package duckdb

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Mend implements engine.Upkeep.
func (e *Engine) Mend(site string, b batch.Bounds, before, beyond bool) string {
	file := filepath.Join(e.lake.dir, FileName)
	return "with DuckDB's command line (duckdb " + file + "), while no run has the folder:\n" + strings.Join(e.mend(site, b, before, beyond), ";\n") + ";\nthen run again"
}

// mend returns the statements of Mend. Nothing was read before 1970: such tags
// begin anew, as new ones do. A tag that is ahead goes back to its last event in
// bronze, up to which it was read for certain; forecasts beyond the bounds go, and
// are read again when their time comes.
func (e *Engine) mend(site string, b batch.Bounds, before, beyond bool) (out []string) {
	of := fmt.Sprintf("pipeline = %s AND site = %s", literal(e.pipeline), literal(site))
	tags := of + " AND point_id IS NOT NULL"
	ahead := fmt.Sprintf("watermark_ticks > %d", b.Last)
	if before {
		out = append(out, fmt.Sprintf("DELETE FROM {checkpoints.tag_watermarks} WHERE %s AND watermark_ticks < %d", tags, b.First))
	}
	if beyond {
		out = append(out,
			fmt.Sprintf(`DELETE FROM {bronze.pi_timeseries} WHERE %s AND "timestamp" > make_timestamp(%d)`, of, b.Last/instant.Microsecond),
			fmt.Sprintf(`UPDATE {checkpoints.tag_watermarks} w SET watermark_ticks = b.last, from_ticks = least(from_ticks, b.last)
FROM (SELECT tag_webid, max(epoch_us("timestamp") * 10 + timestamp_100ns) AS last FROM {bronze.pi_timeseries} WHERE %s GROUP BY tag_webid) b
WHERE %s AND %s AND w.tag_webid = b.tag_webid`, of, tags, ahead),
			fmt.Sprintf("DELETE FROM {checkpoints.tag_watermarks} WHERE %s AND %s AND from_ticks > %d", tags, ahead, b.Last),
			fmt.Sprintf("UPDATE {checkpoints.tag_watermarks} SET watermark_ticks = from_ticks WHERE %s AND %s", tags, ahead))
	}
	for i := range out {
		out[i] = e.lake.expand(out[i])
	}
	return out
}
