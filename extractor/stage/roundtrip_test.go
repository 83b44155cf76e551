package stage_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// row is a row of bronze as a reader has it that is not ours.
type row struct {
	WebID, Name, Site                          string
	Micros                                     int64
	Rest                                       int
	Value                                      sql.NullFloat64
	Text                                       sql.NullString
	Code                                       sql.NullInt32
	Good, Questionable, Substituted, Annotated bool
	Units, BatchID                             string
	Ingested                                   int64
	Date                                       string
	Pipeline                                   string
}

// event is what a test writes.
type event struct {
	stream int32
	ticks  int64
	value  float64
	text   string
	code   int32
	flags  uint8
}

func (e event) addTo(b *columns.Batch) {
	text := uint32(0)
	if e.flags&columns.HasText != 0 {
		text = b.Strings.ID([]byte(e.text))
	}
	b.Append(e.stream, e.ticks, e.value, text, e.code, e.flags)
}

// row returns what bronze is to hold of the event: the table's contract once more,
// by other means than the writer's.
func (e event) row(l *stage.Labels) row {
	at := instant.Ticks(e.ticks).Time()
	r := row{
		WebID: l.WebID[e.stream], Name: l.Name[e.stream], Site: l.Site,
		Micros: at.UnixMicro(), Rest: at.Nanosecond() / 100 % 10,
		Good: e.flags&columns.Good != 0, Questionable: e.flags&columns.Questionable != 0,
		Substituted: e.flags&columns.Substituted != 0, Annotated: e.flags&columns.Annotated != 0,
		Units: l.Units[e.stream], BatchID: l.BatchID, Ingested: l.Ingested.Time().UnixMicro(),
		Date: at.Format("2006-01-02"), Pipeline: l.Pipeline,
	}
	if e.flags&columns.HasValue != 0 {
		r.Value = sql.NullFloat64{Float64: e.value, Valid: true}
	}
	if e.flags&columns.HasText != 0 {
		r.Text = sql.NullString{String: e.text, Valid: true}
	}
	if e.flags&columns.HasCode != 0 {
		r.Code = sql.NullInt32{Int32: e.code, Valid: true}
	}
	return r
}

// reader reads Parquet files by DuckDB.
func reader(t testing.TB) *sql.DB {
	lake, err := duckdb.Open(context.Background(), t.TempDir(), "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lake.Close()) })
	return lake.DB()
}

func readRows(t require.TestingT, db *sql.DB, path string) []row {
	rows, err := db.Query(`SELECT tag_webid, tag_name, site, epoch_us("timestamp"), timestamp_100ns, value, value_text, value_code,
quality_good, quality_questionable, quality_substituted, quality_annotated, units, batch_id, epoch_us(ingestion_timestamp),
strftime(partition_date, '%Y-%m-%d'), pipeline FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number`, path)
	require.NoError(t, err)
	defer rows.Close()
	var out []row
	for rows.Next() {
		var r row
		require.NoError(t, rows.Scan(&r.WebID, &r.Name, &r.Site, &r.Micros, &r.Rest, &r.Value, &r.Text, &r.Code,
			&r.Good, &r.Questionable, &r.Substituted, &r.Annotated, &r.Units, &r.BatchID, &r.Ingested, &r.Date, &r.Pipeline))
		out = append(out, r)
	}
	require.NoError(t, rows.Err())
	return out
}

// sameRows compares bit by bit, but for NaN, of which there are many.
func sameRows(t require.TestingT, want, got []row) {
	require.Len(t, got, len(want))
	for i := range want {
		w, g := want[i], got[i]
		if math.IsNaN(w.Value.Float64) && math.IsNaN(g.Value.Float64) {
			w.Value.Float64, g.Value.Float64 = 0, 0
		}
		require.Equal(t, math.Float64bits(w.Value.Float64), math.Float64bits(g.Value.Float64), "row %d", i)
		require.Equal(t, w, g, "row %d", i)
	}
}

// write stages batches as one file and returns its path. It fills one Batch over
// and over, as the extraction does: the writer must not keep hold of it.
func write(t require.TestingT, dir string, l stage.Labels, batches [][]event) string {
	f := stage.New(dir, "p", 0, 1, "b")
	require.NoError(t, f.Create())
	w, err := f.CreateWriter(0, l)
	require.NoError(t, err)
	var b columns.Batch
	events := 0
	for _, batch := range batches {
		b.Reset()
		for _, e := range batch {
			e.addTo(&b)
		}
		require.NoError(t, w.Write(&b))
		events += len(batch)
	}
	b.Reset()
	event{text: "the batch is another's", flags: columns.HasText}.addTo(&b)
	require.NoError(t, w.Close())
	require.EqualValues(t, events, w.Events())
	files, err := f.DataFiles()
	require.NoError(t, err)
	require.Len(t, files, 1)
	return files[0]
}

func TestWhatIsWrittenIsReadByDuckDB(t *testing.T) {
	db, dir := reader(t), t.TempDir()
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"", "Bad Input", "No Data", "\x00", "a\x00b", "Öl, \"heiß\"\n", "🔥", strings.Repeat("long ", 1000)}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		l := stage.Labels{Site: text.Draw(t, "site"), Pipeline: text.Draw(t, "pipeline"), BatchID: text.Draw(t, "batch"),
			Ingested: instant.Ticks(rapid.Int64Range(0, 1<<55).Draw(t, "ingested"))}
		for range rapid.IntRange(1, 5).Draw(t, "streams") {
			// Texts of streams may be equal: units nearly always are.
			l.WebID, l.Name, l.Units = append(l.WebID, text.Draw(t, "web id")), append(l.Name, text.Draw(t, "name")),
				append(l.Units, text.Draw(t, "units"))
		}
		one := rapid.Custom(func(t *rapid.T) event {
			return event{
				stream: rapid.Int32Range(0, int32(len(l.WebID)-1)).Draw(t, "stream"),
				// Years 1000 to 5000, and around 1970.
				ticks: rapid.OneOf(rapid.Int64Range(-300_000_000_000_000_000, 950_000_000_000_000_000), rapid.Int64Range(-30, 30)).Draw(t, "ticks"),
				value: rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1),
					math.Copysign(0, -1)})).Draw(t, "value"),
				text:  text.Draw(t, "text"),
				code:  rapid.Int32().Draw(t, "code"),
				flags: rapid.Uint8Range(0, 127).Draw(t, "flags"),
			}
		})
		batches := rapid.SliceOfN(rapid.SliceOfN(one, 0, 30), 0, 4).Draw(t, "batches")
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "p")))
		path := write(t, dir, l, batches)
		var want []row
		for _, batch := range batches {
			for _, e := range batch {
				want = append(want, e.row(&l))
			}
		}
		sameRows(t, want, readRows(t, db, path))
	})
}

// rowGroup is the number of rows of a full row group, as the package documents it.
const rowGroup = 122_880

func TestLargeFiles(t *testing.T) {
	different := func(i int) string { return fmt.Sprintf("lot %d", i) }
	for name, c := range map[string]struct {
		events, batch int
		text          func(i int) string // "" is no text
		groups        []int64            // rows of each; nil when texts decide
		encoding      string             // of value_text, in every row group
	}{
		"none":                          {0, 1, nil, []int64{}, ""},
		"one row less than a row group": {rowGroup - 1, 10_000, nil, []int64{rowGroup - 1}, "PLAIN"},
		"a row group":                   {rowGroup, 10_000, nil, []int64{rowGroup}, "PLAIN"},
		"a row group and a row":         {rowGroup + 1, 10_000, nil, []int64{rowGroup, 1}, "PLAIN"},
		"one batch of two row groups":   {2 * rowGroup, 2 * rowGroup, different, []int64{rowGroup, rowGroup}, "PLAIN"},
		"texts all different":           {300_000, 20_000, different, []int64{rowGroup, rowGroup, 300_000 - 2*rowGroup}, "PLAIN"},
		"texts of states":               {150_000, 10_000, func(i int) string { return fmt.Sprint("state ", i*i%7) }, []int64{rowGroup, 150_000 - rowGroup}, "RLE_DICTIONARY"},
		"states of one event a batch":   {3_000, 1, func(i int) string { return fmt.Sprint("state ", i*i%7) }, []int64{3_000}, "RLE_DICTIONARY"},
		"texts different at first":      {20_000, 5_000, func(i int) string { return fmt.Sprint("lot ", min(i, 2_000)) }, []int64{20_000}, "RLE_DICTIONARY"},
		"texts that repeat at first":    {20_000, 5_000, func(i int) string { return fmt.Sprint("lot ", max(i, 2_000)) }, []int64{20_000}, "PLAIN"},
		"a dictionary too large":        {20_000, 20_000, func(i int) string { return fmt.Sprintf("%01000d", i%2_000) }, []int64{20_000}, "PLAIN"},
		"40 MB of texts":                {40_000, 5_000, func(i int) string { return fmt.Sprintf("%01000d", i) }, nil, "PLAIN"},
		"texts of 20 MB each":           {5, 1, func(i int) string { return strings.Repeat(fmt.Sprint(i), 20<<20) }, []int64{2, 1, 2}, "PLAIN"},
	} {
		t.Run(name, func(t *testing.T) {
			db := reader(t)
			l := labels()
			at := func(i int) event {
				e := event{stream: streamOf(i), ticks: ticksOf(i), value: float64(i), flags: columns.HasValue | columns.Good}
				if c.text != nil && i%3 > 0 {
					e = event{stream: streamOf(i), ticks: ticksOf(i), text: c.text(i), flags: columns.HasText}
				}
				return e
			}
			var batches [][]event
			for i := range c.events {
				if i%c.batch == 0 {
					batches = append(batches, nil)
				}
				last := len(batches) - 1
				batches[last] = append(batches[last], at(i))
			}
			path := write(t, t.TempDir(), l, batches)

			groups, encodings := []int64{}, map[string]bool{}
			query(t, db, func(r *sql.Rows) error {
				var n, bytes int64
				var encoding string
				err := r.Scan(&n, &bytes, &encoding)
				groups, encodings[encoding] = append(groups, n), true
				require.LessOrEqual(t, bytes, int64(30<<20), "a row group's texts are bounded")
				return err
			}, `SELECT row_group_num_rows, total_uncompressed_size, encodings FROM parquet_metadata(?) WHERE path_in_schema = 'value_text' `+
				`ORDER BY row_group_id`, path)
			if c.groups != nil {
				require.Equal(t, c.groups, groups)
			} else {
				require.Greater(t, len(groups), 5)
			}
			for encoding := range encodings {
				require.Equal(t, c.encoding == "RLE_DICTIONARY", strings.Contains(encoding, "RLE_DICTIONARY"), encoding)
			}

			i := 0
			query(t, db, func(r *sql.Rows) error {
				var id string
				var micros int64
				var value sql.NullFloat64
				var text sql.NullString
				err := r.Scan(&id, &micros, &value, &text)
				want := at(i).row(&l)
				if want.WebID != id || want.Micros != micros || want.Value != value || want.Text != text {
					require.FailNow(t, "another row", "row %d: %s %d %v", i, id, micros, value)
				}
				i++
				return err
			}, `SELECT tag_webid, epoch_us("timestamp"), value, value_text FROM read_parquet(?, file_row_number = true) ORDER BY file_row_number`, path)
			require.Equal(t, c.events, i)
		})
	}
}

func TestFileHasBronzesColumns(t *testing.T) {
	db := reader(t)
	path := write(t, t.TempDir(), labels(), [][]event{{{flags: columns.HasText | columns.HasValue, text: "x"}, {ticks: 10}}})
	physical := map[tables.Type]string{
		tables.String: "BYTE_ARRAY StringType()", tables.Timestamp: "INT64 TimestampType(isAdjustedToUTC=1, unit=TimeUnit(MILLIS=<null>, " +
			"MICROS=MicroSeconds(), NANOS=<null>))",
		tables.TinyInt: "INT32 IntType(bitWidth=\b, isSigned=1)", tables.Int: "INT32", tables.Double: "DOUBLE", tables.Boolean: "BOOLEAN",
		tables.Date: "INT32 DateType()",
	}
	var want, got []string
	for _, c := range tables.Timeseries.Columns {
		repetition := "REQUIRED"
		if strings.HasPrefix(c.Name, "value") {
			repetition = "OPTIONAL"
		}
		want = append(want, strings.TrimSpace(c.Name+" "+repetition+" "+physical[c.Type]))
	}
	query(t, db, func(r *sql.Rows) error {
		var line string
		err := r.Scan(&line)
		got = append(got, line)
		return err
	}, `SELECT trim(name || ' ' || repetition_type || ' ' || type || ' ' || coalesce(logical_type, '')) FROM parquet_schema(?) WHERE `+
		`num_children IS NULL OR num_children = 0`, path)
	require.Equal(t, want, got)

	pruned := map[string]string{}
	query(t, db, func(r *sql.Rows) error {
		var name, low, high string
		err := r.Scan(&name, &low, &high)
		pruned[name] = low + " " + high
		return err
	}, `SELECT path_in_schema, stats_min_value, stats_max_value FROM parquet_metadata(?) WHERE stats_min_value IS NOT NULL`, path)
	require.Equal(t, map[string]string{
		"tag_webid": labels().WebID[0] + " " + labels().WebID[0],
		"timestamp": "1970-01-01 00:00:00+00 1970-01-01 00:00:00.000001+00",
	}, pruned)
}

func query(t testing.TB, db *sql.DB, each func(*sql.Rows) error, text string, args ...any) {
	rows, err := db.Query(text, args...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		require.NoError(t, each(rows))
	}
	require.NoError(t, rows.Err())
}
