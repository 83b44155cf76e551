package calibration

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Row is a row of monitoring.pipeline_metrics: an attempt of a task, or a batch of one.
type Row struct {
	Pipeline  string
	Run       string
	Task      string
	Tier      string
	Site      string
	Partition int // -1 of tasks other than extract
	Attempt   int
	Batch     string // its id; "" = the row stands for no batch
	Number    int64  // of the batch
	Start     time.Time
	End       time.Time
	Tags      int // that were read
	Failed    int // that could not be
	Events    int64
	Requests  int64
	Status    string
}

// seconds is how long it took.
func (r *Row) seconds() float64 { return r.End.Sub(r.Start).Seconds() }

// column is a column of the table that rows are read from.
type column struct {
	name     string
	optional bool // may be absent, and be empty
	set      func(r *Row, text string) error
}

var columns = []column{
	{"run_id", false, func(r *Row, s string) error { r.Run = s; return nil }},
	{"partition_id", true, func(r *Row, s string) (err error) { r.Partition, err = whole(s, -1); return err }},
	{"start_time", false, func(r *Row, s string) (err error) { r.Start, err = instantOf(s); return err }},
	{"end_time", false, func(r *Row, s string) (err error) { r.End, err = instantOf(s); return err }},
	{"tags_processed", true, func(r *Row, s string) (err error) { r.Tags, err = whole(s, 0); return err }},
	{"points_ingested", true, func(r *Row, s string) (err error) { r.Events, err = large(s); return err }},
	{"status", false, func(r *Row, s string) error { r.Status = s; return nil }},
	{"pipeline", false, func(r *Row, s string) error { r.Pipeline = s; return nil }},
	{"task", false, func(r *Row, s string) error { r.Task = s; return nil }},
	{"tier", false, func(r *Row, s string) error { r.Tier = s; return nil }},
	{"site", true, func(r *Row, s string) error { r.Site = s; return nil }},
	{"attempt", true, func(r *Row, s string) (err error) { r.Attempt, err = whole(s, 1); return err }},
	{"batch_id", true, func(r *Row, s string) error { r.Batch = s; return nil }},
	{"batch_seq", true, func(r *Row, s string) (err error) { r.Number, err = large(s); return err }},
	{"tags_failed", true, func(r *Row, s string) (err error) { r.Failed, err = whole(s, 0); return err }},
	{"requests", true, func(r *Row, s string) (err error) { r.Requests, err = large(s); return err }},
}

// whole reads a count that is not negative; absent is the value of an empty cell.
func whole(s string, absent int) (int, error) {
	if s == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q; allowed: a whole number from 0", s)
	}
	return int(n), nil
}

func large(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q; allowed: a whole number from 0", s)
	}
	return int64(n), nil
}

// layouts are the ways in which engines and exports write timestamps.
var layouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07"}

// instantOf reads a timestamp: microseconds since 1970, or a date and time,
// which is UTC without a zone.
func instantOf(s string) (time.Time, error) {
	if micros, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMicro(micros).UTC(), nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q; allowed: a timestamp such as 2026-01-31T12:00:00.123Z, or microseconds since 1970", s)
}

// Query returns the SQL that reads a pipeline's rows as texts, in the order of
// Header. table is the qualified name of pipeline_metrics, micros the engine's
// function from a timestamp to microseconds since 1970.
func Query(table, micros, pipeline string) string {
	selected := make([]string, len(columns))
	for i, c := range columns {
		expression := c.name
		if strings.HasSuffix(c.name, "_time") {
			expression = micros + "(" + c.name + ")"
		}
		selected[i] = "coalesce(CAST(" + expression + " AS " + string(tables.String) + "), '')"
	}
	return "SELECT " + strings.Join(selected, ", ") + " FROM " + table + " WHERE pipeline = '" + strings.ReplaceAll(pipeline, "'", "''") +
		"' AND end_time IS NOT NULL"
}

// Header is the columns of Query, in order.
func Header() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

// What an export may be, so that reading one stays within bounds.
const (
	maxCSV     = 128 << 20 // bytes
	maxRows    = 500_000
	maxColumns = 1000
)

// ReadCSV reads rows from a CSV with a header, as an export of the table has it:
// columns in any order, others are ignored. The errors name file, line and column.
func ReadCSV(in io.Reader, file string) ([]Row, error) {
	r := csv.NewReader(regular.Limit(in, maxCSV))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, diag.WithHint(fmt.Errorf("%s: the file is empty", file), "export monitoring.pipeline_metrics with its header")
	}
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("%s: %w", file, err),
			"export monitoring.pipeline_metrics with its header, of fewer days where it is too large")
	}
	if len(header) > maxColumns {
		return nil, diag.WithHint(fmt.Errorf("%s:1: %d columns; allowed: up to %d", file, len(header), maxColumns),
			"export monitoring.pipeline_metrics with its header")
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	at, err := places(header)
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("%s:1: %w", file, err), "export monitoring.pipeline_metrics with its header")
	}
	var rows []Row
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, diag.WithHint(fmt.Errorf("%s: %w", file, err),
				"export monitoring.pipeline_metrics as CSV, of fewer days where it is too large")
		}
		row, wrong, err := parse(record, at)
		if err != nil {
			line, column := r.FieldPos(at[wrong])
			return nil, fmt.Errorf("%s:%d:%d: %s: %w", file, line, column, columns[wrong].name, err)
		}
		if len(rows) == maxRows {
			line, _ := r.FieldPos(0)
			return nil, diag.WithHint(fmt.Errorf("%s:%d: more than %d rows", file, line, maxRows),
				"export fewer days, by a condition on start_time")
		}
		rows = append(rows, row)
	}
}

// Parse reads the rows of Query; where is their source, for errors.
func Parse(records [][]string, where string) ([]Row, error) {
	at, err := places(Header())
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(records))
	for i, record := range records {
		if len(record) != len(columns) {
			return nil, fmt.Errorf("%s: row %d has %d columns, not %d", where, i+1, len(record), len(columns))
		}
		row, wrong, err := parse(record, at)
		if err != nil {
			return nil, fmt.Errorf("%s: row %d: %s: %w", where, i+1, columns[wrong].name, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// places finds the columns in a header; -1 is absent.
func places(header []string) ([]int, error) {
	at := make([]int, len(columns))
	for i, c := range columns {
		if at[i] = slices.Index(header, c.name); at[i] < 0 && !c.optional {
			text := fmt.Sprintf("there is no column %s", c.name)
			if near := suggest.Nearest(c.name, header); near != "" {
				text += fmt.Sprintf("; the nearest is %s", near)
			}
			return nil, errors.New(text)
		}
	}
	return at, nil
}

// parse reads one row; wrong is the column that an error is of.
func parse(record []string, at []int) (row Row, wrong int, err error) {
	for i, c := range columns {
		text := ""
		if at[i] >= 0 {
			text = strings.TrimSpace(record[at[i]])
		}
		if strings.EqualFold(text, "null") {
			text = ""
		}
		if text == "" && !c.optional {
			return row, i, errors.New("is empty")
		}
		if err := c.set(&row, text); err != nil {
			return row, i, err
		}
	}
	if row.End.Before(row.Start) {
		return row, slices.IndexFunc(columns, func(c column) bool { return c.name == "end_time" }), errors.New("is before start_time")
	}
	return row, 0, nil
}
