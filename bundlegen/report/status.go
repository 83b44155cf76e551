package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fatih/color"

	"github.com/bundlegen/bundlegen/bundlegen/status"
	"github.com/bundlegen/bundlegen/internal/words"
)

// StatusVersion is the version of `status --output json`. It only grows.
const StatusVersion = 1

// statuses is `status --output json`.
type statuses struct {
	Version int              `json:"version"`
	Bundles []*status.Status `json:"bundles"` // one for each region
}

// StatusJSON writes how pipelines are for programs.
func StatusJSON(w io.Writer, all []*status.Status) error {
	return WriteJSON(w, statuses{StatusVersion, all})
}

// StatusText writes how pipelines are for a terminal.
func StatusText(w io.Writer, all []*status.Status, o Options) error {
	t := newTerminal(w, o)
	for i, s := range all {
		if i > 0 {
			t.line("")
		}
		t.status(s)
	}
	return t.out.Flush()
}

func (t *terminal) status(s *status.Status) {
	name := fit(clean(s.Pipeline), t.width/2)
	t.labelled(0, name, width(name)+3, clean(strings.Join([]string{s.Source, second(s.At)}, " · ")), t.strong)
	t.runs(s.Runs)
	if s.OnlyRuns {
		t.line("")
		t.labelled(0, "!", 2, "Only the runs are known: reading the tables needs the SQL warehouse of monitoring.warehouse, and "+
			"pipeline.yml names none.", t.yellow)
		return
	}
	t.lags(s.Lags)
	t.completeness(s.Completeness)
	t.failedTags(s.FailedTags)
	for _, site := range s.Sites {
		t.site(&site)
	}
	if len(s.Unfinished) > 0 {
		var ids []string
		for _, n := range s.Unfinished {
			ids = append(ids, id(n))
		}
		t.mind(fmt.Sprintf("%s not landed yet: %s. The next run finishes it first.",
			words.Either(len(ids), "partition has a batch that is", "partitions have a batch that is"), words.List(ids, 8)))
	}
}

// mind writes something to look at.
func (t *terminal) mind(text string) {
	t.line("")
	t.labelled(0, "!", 2, clean(text), t.yellow)
}

func (t *terminal) runs(runs []status.Run) {
	t.line("")
	if len(runs) == 0 {
		t.line("  no run in the last five weeks")
		return
	}
	paints := map[string]*color.Color{status.Succeeded: t.green, status.Failed: t.red, status.Partly: t.yellow, status.Behind: t.yellow}
	rows := make([][]cell, len(runs))
	for i, r := range runs {
		took, events := "", ""
		if r.Ended != nil && !r.Started.IsZero() {
			took = words.Span(r.Ended.Sub(r.Started).Seconds())
		}
		if r.Events != nil {
			events = words.Count(int(*r.Events))
		}
		outcome := r.Outcome
		if r.Failed > 0 {
			outcome += fmt.Sprintf(", %d of %s", r.Failed, words.Plural(r.Partitions, "partition"))
		}
		rows[i] = []cell{{stamp(r.Started), nil}, {r.Tier, nil}, {took, nil}, {events, nil}, {outcome, paints[r.Outcome]}}
	}
	t.table([]string{"started, UTC", "tier", ">took", ">events", "outcome"}, rows)
	said := map[string]bool{} // the latest failure of each tier that failed in its last run
	for _, r := range runs {
		if !said[r.Tier] && r.Error != "" {
			where := ""
			if r.URL != "" {
				where = " " + r.URL
			}
			t.mind(fmt.Sprintf("The run of %s, %s, %s: %s%s", r.Tier, stamp(r.Started), r.Outcome, firstLine(r.Error), where))
		}
		said[r.Tier] = true
	}
}

// stamp writes an instant of a column that is in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.DateTime) }

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func (t *terminal) lags(lags []status.Lag) {
	if len(lags) == 0 {
		return
	}
	rows := make([][]cell, len(lags))
	for i, l := range lags {
		landed, lag, most, tag := "nothing yet", "", "", ""
		if l.Newest != nil {
			landed, lag = stamp(*l.Newest), words.Span(l.LagSeconds)
		}
		if l.Oldest != nil && l.MostBehind-l.LagSeconds >= 1 {
			most, tag = words.Span(l.MostBehind), l.OldestTag
		}
		if l.Without > 0 && l.Newest != nil {
			tag = strings.TrimPrefix(tag+"; nothing known of "+words.Count(l.Without), "; ")
		}
		rows[i] = []cell{{l.Tier, nil}, {l.Site, nil}, {words.Count(l.Tags), nil}, {landed, nil}, {lag, nil}, {most, t.yellow}, {tag, nil}}
	}
	t.line("")
	t.table([]string{"tier", "site", ">tags", "landed up to, UTC", ">lag", ">longest", "of tag"}, rows)
}

func (t *terminal) completeness(list []status.Completeness) {
	if len(list) == 0 {
		return
	}
	rows := make([][]cell, len(list))
	for i, c := range list {
		share := cell{words.Share(c.Share), nil}
		if c.Share < 1 {
			share.paint = t.yellow
		}
		rows[i] = []cell{
			{c.Tier, nil}, {c.Site, nil}, share, {words.Count(int(c.LandedEvents)), nil}, {words.Count(int(c.ExpectedEvents)), nil},
			{words.Count(int(c.TagsChecked)), nil}, {stamp(c.CheckedAt), nil},
		}
	}
	t.line("")
	t.table([]string{"tier", "site", ">complete", ">landed", ">PI counts", ">of tags", "checked, UTC"}, rows)
}

// fewFailed is how many failed tags are named.
const fewFailed = 10

func (t *terminal) failedTags(f status.FailedTags) {
	if f.Count == 0 {
		return
	}
	t.mind(words.Plural(f.Count, "tag") + " failed in the last run; nothing of them is lost, the next run reads them from where they are.")
	shown := f.First[:min(fewFailed, len(f.First))]
	for _, tag := range shown {
		t.labelled(4, "", 0, clean(fmt.Sprintf("%s (%s): %s", tag.Tag, tag.Site, firstLine(tag.Error))), t.no)
	}
	if rest := f.Count - len(shown); rest > 0 {
		t.line(t.faint.Sprint("    and " + words.Count(rest) + " more: monitoring.tag_errors has all"))
	}
}

func (t *terminal) site(s *status.Site) {
	if s.NewPoints != nil && *s.NewPoints > 0 {
		t.mind(fmt.Sprintf("%s: %s not in the inventory. bundlegen discover lists them.", s.Site,
			words.Either(*s.NewPoints, "new point is", "new points are")))
	}
	if s.Unresolved > 0 {
		t.mind(fmt.Sprintf("%s does not know %s of the inventory: misspelt, or gone.", s.Site, words.Plural(s.Unresolved, "tag")))
	}
	if s.ClockDoubt != "" {
		t.mind(s.Site + "'s clock was not believed: " + s.ClockDoubt)
	}
}
