package report

import (
	"io"
	"strings"

	"github.com/fatih/color"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/internal/words"
)

// DoctorText writes a doctor's findings for a terminal: what is wrong with its cure,
// what is in order on a line each, and what was not checked on one line.
func DoctorText(w io.Writer, r *doctor.Report, next string, o Options) error {
	t := newTerminal(w, o)
	for i, subject := range r.Subjects() {
		if i > 0 {
			t.line("")
		}
		t.line(t.strong.Sprint(clean(subject)))
		t.findings(r.Of(subject))
	}
	t.line("")
	summary := []string{words.Count(r.Count(doctor.OK)) + " in order"}
	for _, c := range []struct {
		state doctor.State
		text  string
	}{{doctor.Warn, "to look at"}, {doctor.Fail, "wrong"}, {doctor.Skipped, "not checked"}} {
		if n := r.Count(c.state); n > 0 {
			summary = append(summary, words.Count(n)+" "+c.text)
		}
	}
	t.line(strings.Join(summary, ", "))
	if next != "" {
		t.line(t.strong.Sprint("next: ") + t.blue.Sprint(next))
	}
	return t.out.Flush()
}

func (t *terminal) findings(all []doctor.Finding) {
	paints := map[doctor.State]*color.Color{doctor.OK: t.green, doctor.Warn: t.yellow, doctor.Fail: t.red}
	checkWidth := 0
	for _, f := range all {
		checkWidth = max(checkWidth, width(f.Check))
	}
	const stateWidth = 6
	var skipped []string
	for _, f := range all {
		if f.State == doctor.Skipped {
			skipped = append(skipped, f.Check)
			continue
		}
		label := left(string(f.State), stateWidth) + left(f.Check, checkWidth)
		what := f.What
		if f.Detail != "" {
			what += " (" + f.Detail + ")"
		}
		t.labelled(2, label, stateWidth+checkWidth+2, clean(what), paints[f.State])
		if f.Cure != "" {
			t.labelled(2+stateWidth+checkWidth+2, "→", 2, clean(f.Cure), t.blue)
		}
	}
	if len(skipped) > 0 {
		t.labelled(2, "not checked: ", 13, strings.Join(skipped, ", "), t.faint)
	}
}
