package localrun

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// column of the closing table.
type column struct {
	head  string
	right bool
}

var columns = []column{{"partition", true}, {"site", false}, {"tags", true}, {"events", true}, {"events/s", true}, {"retries", true}, {"seconds", true}, {"status", false}}

// writeTable writes what a person wants to know of a run: a line for each
// partition, then the whole, then why what failed failed.
func writeTable(w io.Writer, tasks []*scheduled, states []State) {
	rows := [][]string{nil}
	for _, c := range columns {
		rows[0] = append(rows[0], c.head)
	}
	var tags, retries int
	var events int64
	var longest float64
	for i, t := range tasks {
		if t.spec.params.Task != manifest.TaskExtract {
			continue
		}
		n := t.result.Tags + t.result.Failed
		rows = append(rows, []string{
			fmt.Sprintf("%04d", t.spec.params.Partition), runewidth.Truncate(t.spec.params.Site, 18, "…"), thousands(int64(n)), thousands(t.result.Events),
			rate(t.result.Events, t.seconds), fmt.Sprint(max(0, t.attempts-1)), fmt.Sprintf("%.1f", t.seconds), states[i].String(),
		})
		tags, retries, events, longest = tags+n, retries+max(0, t.attempts-1), events+t.result.Events, max(longest, t.seconds)
	}
	rows = append(rows, []string{"all", "", thousands(int64(tags)), thousands(events), "", fmt.Sprint(retries), "", ""})
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
		disk := trouble(t.err)
		switch {
		case disk != "":
			msg = fmt.Sprintf("data folder %s %s; what is landed stays, the next run lands the rest\nhint: mend that, then give the same command again", data, disk)
		case t.err != nil:
			msg = t.err.Error()
		case states[i] == Skipped:
			continue // what it waited for says why
		}
		for _, line := range append(t.result.Notes, msg) {
			if line != "" && !said[line] {
				said[line] = true
				fmt.Fprintf(w, "%s: %s\n", t.spec.Key, strings.ReplaceAll(line, "\n", "\n  "))
			}
		}
	}
}

func rate(events int64, seconds float64) string {
	if seconds <= 0 {
		return "0"
	}
	return thousands(int64(float64(events) / seconds))
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
