package localrun

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

// column of the closing table.
type column struct {
	head  string
	right bool
}

var columns = []column{{"partition", true}, {"site", false}, {"tags", true}, {"events", true}, {"events/s", true}, {"retries", true}, {"seconds", true}, {"status", false}}

// writeTable writes what a person wants to know of a job's run: a line for each
// partition, and the whole.
func writeTable(w io.Writer, j JobSummary) {
	rows := [][]string{nil}
	for _, c := range columns {
		rows[0] = append(rows[0], c.head)
	}
	var retries int64
	for _, t := range j.Tasks {
		if t.Partition == nil {
			continue
		}
		rows = append(rows, []string{
			fmt.Sprintf("%04d", *t.Partition), text.Line(t.Site), words.Count(t.Tags), thousands(t.Events),
			rate(t.Events, t.Seconds), thousands(t.Retries), fmt.Sprintf("%.1f", t.Seconds), t.State,
		})
		retries += t.Retries
	}
	rows = append(rows, []string{"all", "", words.Count(j.Tags), thousands(j.Events), "", thousands(retries), "", ""})
	shorten(rows)
	widths := make([]int, len(columns))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			if i > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell))
			if columns[i].right {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// writeTroubles says of each task that did not end well what happened, the same
// words once. data is the data folder, and trouble says of an error whether it
// comes from that.
func writeTroubles(w io.Writer, tasks []*scheduled, states []State, data string, trouble func(error) string) {
	said := map[string]bool{}
	for i, t := range tasks {
		var msg string
		switch {
		case t.err != nil:
			msg = why(t.err, data, trouble)
		case states[i] == Skipped:
			continue // what it waited for says why
		}
		for _, line := range append(t.result.Notes, msg) {
			if line != "" && !said[line] {
				said[line] = true
				fmt.Fprintf(w, "%s: %s\n", t.spec.Key, strings.ReplaceAll(text.Lines(line), "\n", "\n  "))
			}
		}
	}
}

// why returns the words for a task's error; trouble says of one whether it comes
// from the data folder.
func why(err error, data string, trouble func(error) string) string {
	if disk := trouble(err); disk != "" {
		return diag.Hinted(fmt.Sprintf("data folder %s %s; what is landed stays, the next run lands the rest", data, disk),
			"mend that, then give the same command again")
	}
	return err.Error()
}

// siteColumn is the column that gives way where a line would wrap.
const siteColumn = 1

// shorten cuts the names of sites such that no line wraps.
func shorten(rows [][]string) {
	others, longest := 2*(len(columns)-1), 0
	for i := range columns {
		most := 0
		for _, r := range rows {
			most = max(most, runewidth.StringWidth(r[i]))
		}
		if i == siteColumn {
			longest = most
		} else {
			others += most
		}
	}
	for _, r := range rows {
		r[siteColumn] = runewidth.Truncate(r[siteColumn], min(longest, max(len(columns[siteColumn].head), widest-others)), "…")
	}
}

func rate(events int64, seconds float64) string {
	if seconds <= 0 {
		return "0"
	}
	return thousands(int64(float64(events) / seconds))
}

// thousands writes a number with commas.
func thousands(n int64) string { return words.Count(int(n)) }
