package report

import (
	"fmt"
	"io"

	"github.com/bundlegen/bundlegen/bundlegen/calibration"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Measured is a calibration to show.
type Measured struct {
	*calibration.Result
	File string               // that it was written to, as a person calls it
	Was  []constants.Constant // what plans assumed before
	Next string               // the exact command that comes next; "" for none
}

// CalibrationText writes for a terminal what was measured, what it replaces,
// what stays and why, and what to mind.
func CalibrationText(w io.Writer, m Measured, o Options) error {
	t := newTerminal(w, o)
	c := m.Calibration
	t.labelled(0, m.File, width(m.File)+3, fmt.Sprintf("measured over %s of %s, %s to %s UTC",
		words.Plural(c.Runs, "run"), c.Pipeline, c.From.Format("2006-01-02 15:04"), c.To.Format("2006-01-02 15:04")), t.strong)
	t.line("")
	was := map[string]constants.Constant{}
	nameWidth := 0
	for _, old := range m.Was {
		was[old.Name] = old
	}
	for _, k := range m.Kept {
		nameWidth = max(nameWidth, width(k.Name))
	}
	rows := make([][]cell, len(c.Constants))
	for i, x := range c.Constants {
		for _, text := range []string{
			x.Name, words.Digits(was[x.Name].Value), words.Digits(x.Value), words.Digits(x.Low) + " to " + words.Digits(x.High),
			words.Count(x.Samples), x.Unit,
		} {
			rows[i] = append(rows[i], cell{text: text})
		}
	}
	t.table([]string{"constant", ">was", ">measured", ">10% to 90%", ">samples", ""}, rows)
	if len(m.Kept) > 0 {
		t.line("")
		t.line("  not measured, so it stays")
		for _, k := range m.Kept {
			t.labelled(2, k.Name, nameWidth+2, k.Why, t.faint)
		}
	}
	for _, s := range m.Slow {
		text := fmt.Sprintf("Partition %s is slow: %s of extraction on average", id(s.Partition), words.Span(s.Seconds))
		if s.Neighbours > 0 {
			text += ", its neighbours " + words.Span(s.Neighbours)
		}
		t.line("")
		t.labelled(0, "!", 2, text+". Look at its site's server, or at single tags with many events.", t.yellow)
	}
	for _, note := range m.Notes {
		t.line("")
		t.labelled(0, "!", 2, clean(note), t.yellow)
	}
	if m.Next != "" {
		t.line("")
		t.line(t.strong.Sprint("next: ") + t.blue.Sprint(m.Next))
	}
	return t.out.Flush()
}
