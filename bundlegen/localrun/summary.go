package localrun

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Summary is what the run of one bundle did: what a person reads at its end, and
// what bundlegen run --output json prints. Fields are only ever added.
type Summary struct {
	Region  string          `json:"region,omitempty"`
	Outcome outcome.Outcome `json:"outcome"`
	Totals
	Tables string       `json:"tables"` // where they are
	Jobs   []JobSummary `json:"jobs"`   // one for each tier, in order
}

// JobSummary is what the run of one tier's job did.
type JobSummary struct {
	Job     string          `json:"job"`
	Tier    string          `json:"tier"`
	RunID   string          `json:"run_id"`
	Outcome outcome.Outcome `json:"outcome"`
	Totals
	Tasks []TaskSummary `json:"tasks"`
}

// Totals are what tasks did together.
type Totals struct {
	From            string        `json:"from,omitempty"`  // what was read is later than this instant; not set when nothing was to be read
	Until           string        `json:"until,omitempty"` // and up to this one
	Tags            int           `json:"tags"`
	TagsFailed      int           `json:"tags_failed"` // of Tags
	TasksFailed     int           `json:"tasks_failed"`
	TasksRepeated   int           `json:"tasks_repeated"` // that took more than one attempt, failed or not
	Events          int64         `json:"events"`         // landed
	Read            int64         `json:"events_read"`    // those beyond Events are read again
	Seconds         float64       `json:"seconds"`
	EventsPerSecond float64       `json:"events_per_second"`
	Requests        int64         `json:"requests"`
	Retries         int64         `json:"retries"` // requests that failed and were sent again
	Completeness    *Completeness `json:"completeness"`
	TagErrors       []TagError    `json:"tag_errors"` // the first; all are in monitoring.tag_errors

	from, until instant.Ticks
}

// Completeness is what the validate tasks counted; null when they counted nothing.
type Completeness struct {
	Tags     int     `json:"tags"`     // that were counted
	Expected int64   `json:"expected"` // events that PI has of them in the ranges landed
	Share    float64 `json:"share"`    // of Expected, what is landed; 1 = all
	Method   string  `json:"method"`   // count: PI counted; reread: events were read once more
}

// TagError is why a tag could not be read.
type TagError struct {
	Site  string `json:"site"`
	Tag   string `json:"tag"`
	Error string `json:"error"`
}

// TaskSummary is what one task did, over all its attempts.
type TaskSummary struct {
	Key       string   `json:"task_key"`
	Task      string   `json:"task"`
	Partition *int     `json:"partition_id,omitempty"` // of an extraction
	Site      string   `json:"site,omitempty"`
	State     string   `json:"state"`
	Attempts  int      `json:"attempts"`
	Seconds   float64  `json:"seconds"`
	Tags      int      `json:"tags"`
	Failed    int      `json:"tags_failed"`
	Events    int64    `json:"events"`
	Read      int64    `json:"events_read"`
	Requests  int64    `json:"requests"`
	Retries   int64    `json:"retries"`
	Notes     []string `json:"notes"`
	Error     string   `json:"error,omitempty"`
}

const (
	mostTagErrors = 5 // failed tags that a summary holds
	mostReasons   = 3 // of them, that are printed
)

// summarize makes the summary of a job's run.
func summarize(job, tier, runID string, result outcome.Outcome, tasks []*scheduled, states []State, why func(error) string,
	took time.Duration) JobSummary {
	j := JobSummary{Job: job, Tier: tier, RunID: runID, Outcome: result, Tasks: []TaskSummary{}}
	j.TagErrors = []TagError{}
	for i, t := range tasks {
		r := &t.result
		s := TaskSummary{Key: t.spec.Key, Task: t.spec.params.Task, State: states[i].atTheEnd(), Attempts: t.attempts, Seconds: t.seconds,
			Events: r.Events, Read: max(r.Read, r.Events), Requests: r.Requests, Retries: r.Retries, Notes: append([]string{}, r.Notes...)}
		if t.err != nil {
			s.Error = why(t.err)
		}
		j.Requests, j.Retries = j.Requests+s.Requests, j.Retries+s.Retries
		if t.spec.params.Task == manifest.TaskExtract {
			partition := t.spec.params.Partition
			s.Partition, s.Site, s.Tags, s.Failed = &partition, t.spec.params.Site, r.Tags+r.Failed, r.Failed
			j.extraction(s, r)
		}
		if states[i] == Failed {
			j.TasksFailed++
		}
		if t.attempts > 1 {
			j.TasksRepeated++
		}
		if c := r.Completeness; c != nil {
			j.complete(completenessOf(c))
		}
		j.Tasks = append(j.Tasks, s)
	}
	j.finish(took)
	return j
}

// extraction adds what an extraction did.
func (t *Totals) extraction(s TaskSummary, r *task.Result) {
	t.Tags, t.TagsFailed, t.Events, t.Read = t.Tags+s.Tags, t.TagsFailed+s.Failed, t.Events+s.Events, t.Read+s.Read
	t.span(r.From, r.Until)
	for _, e := range r.TagErrors {
		t.failed(TagError{Site: s.Site, Tag: e.Tag, Error: e.Error})
	}
}

func (t *Totals) span(from, until instant.Ticks) {
	if from != 0 && (t.from == 0 || from < t.from) {
		t.from = from
	}
	t.until = max(t.until, until)
}

func (t *Totals) failed(e TagError) {
	if len(t.TagErrors) < mostTagErrors {
		t.TagErrors = append(t.TagErrors, e)
	}
}

func completenessOf(c *task.Completeness) *Completeness {
	out := &Completeness{Tags: c.Tags, Expected: c.Expected, Share: c.Share, Method: "count"}
	if c.Reread {
		out.Method = "reread"
	}
	return out
}

func (t *Totals) complete(c *Completeness) {
	if c == nil {
		return
	}
	if t.Completeness == nil {
		t.Completeness = &Completeness{Share: 1, Method: c.Method}
	}
	all := t.Completeness
	met := all.Share*float64(all.Expected) + c.Share*float64(c.Expected)
	all.Tags, all.Expected = all.Tags+c.Tags, all.Expected+c.Expected
	if all.Expected > 0 {
		all.Share = met / float64(all.Expected)
	}
	if c.Method != all.Method {
		all.Method = "reread"
	}
}

// add adds a job's totals to a bundle's.
func (t *Totals) add(j Totals) {
	t.Tags, t.TagsFailed, t.Events, t.Read = t.Tags+j.Tags, t.TagsFailed+j.TagsFailed, t.Events+j.Events, t.Read+j.Read
	t.Requests, t.Retries = t.Requests+j.Requests, t.Retries+j.Retries
	t.TasksFailed, t.TasksRepeated = t.TasksFailed+j.TasksFailed, t.TasksRepeated+j.TasksRepeated
	t.span(j.from, j.until)
	t.complete(j.Completeness)
	for _, e := range j.TagErrors {
		t.failed(e)
	}
}

func (t *Totals) finish(took time.Duration) {
	t.Seconds = took.Seconds()
	if t.Seconds > 0 {
		t.EventsPerSecond = float64(t.Events) / t.Seconds
	}
	if t.from != 0 {
		t.From = t.from.String()
	}
	if t.until != 0 {
		t.Until = t.until.String()
	}
}

// Text writes the totals for a person, below the tables of the jobs: at once, so that
// nothing that goes to another stream stands in the middle.
func (s Summary) Text(to io.Writer) {
	w := bufio.NewWriter(to)
	defer func() { _ = w.Flush() }() // there is nobody to tell
	say := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(w)
	switch {
	case s.from != 0:
		say("time range", "%s", rangeOf(s.from, s.until))
	case s.until != 0:
		say("time range", "nothing new up to %s UTC", seconds(s.until).Format(time.DateTime))
	}
	pace := ""
	if s.Events > 0 {
		pace = ", " + words.Number(math.Round(s.EventsPerSecond)) + " events/s"
	}
	of := ""
	if s.Tags > 0 { // how many there are is known once an extraction has begun
		of = " of " + words.Plural(s.Tags, "tag")
	}
	say("landed", "%s%s in %s%s", events(s.Events), of, took(s.Seconds), pace)
	again := "none sent again"
	if s.Retries > 0 {
		again = words.Count(int(s.Retries)) + " of them sent again"
	}
	say("PI server", "%s, %s", words.Plural(int(s.Requests), "request"), again)
	if s.TasksFailed+s.TasksRepeated > 0 {
		say("tasks", "%s failed, %s took more than one attempt", words.Count(s.TasksFailed), words.Count(s.TasksRepeated))
	}
	if c := s.Completeness; c != nil {
		how := "as PI counts them"
		if c.Method == "reread" {
			how = "as they are when read once more"
		}
		say("completeness", "%s of %s of %s, %s", words.Share(c.Share), events(c.Expected), words.Plural(c.Tags, "tag"), how)
	}
	if s.TagsFailed > 0 {
		say("failed", "%s, see monitoring.tag_errors", words.Plural(s.TagsFailed, "tag"))
		for _, e := range s.TagErrors[:min(len(s.TagErrors), mostReasons)] {
			first, _, _ := strings.Cut(e.Error, "\n")
			for i, line := range text.Wrap(fmt.Sprintf("%q: %s", e.Tag, text.Line(first)), widest-6) {
				fmt.Fprintf(w, "    %s%s\n", strings.Repeat("  ", min(i, 1)), line)
			}
		}
	}
}

// rangeOf is a range of time, to the second.
func rangeOf(from, until instant.Ticks) string {
	a, b := seconds(from), seconds(until)
	end := b.Format(time.DateTime)
	if a.Format(time.DateOnly) == b.Format(time.DateOnly) {
		end = b.Format(time.TimeOnly)
	}
	return a.Format(time.DateTime) + " to " + end + " UTC"
}

func seconds(t instant.Ticks) time.Time { return t.Time().UTC().Round(time.Second) }

func took(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.1f s", seconds)
	}
	return words.Span(seconds)
}

// CancelledError is the error of a run that a person ended, with how far it had come.
type CancelledError struct{ Landed, Read int64 }

func (e *CancelledError) Error() string {
	if e.Read == 0 && e.Landed == 0 {
		return "cancelled: nothing is landed yet; run again to go on"
	}
	is := "are"
	if e.Landed == 1 {
		is = "is"
	}
	return fmt.Sprintf("cancelled: %s of %s %s landed; run again to go on", events(e.Landed), words.Count(int(max(e.Read, e.Landed))), is)
}

// heads are those of the closing table; names of sites are cut where a line would
// not fit.
var heads = []string{">partition", "site", ">tags", ">events", ">events/s", ">retries", ">seconds", "status"}

const siteColumn = 1

// writeTable writes a line for each partition, and the totals.
func writeTable(w io.Writer, j JobSummary) {
	table := text.Table{Heads: heads, Width: widest, Elastic: siteColumn}
	var retries int64
	for _, t := range j.Tasks {
		if t.Partition == nil {
			continue
		}
		rate := 0.0
		if t.Seconds > 0 {
			rate = float64(t.Events) / t.Seconds
		}
		table.Rows = append(table.Rows, []string{
			fmt.Sprintf("%04d", *t.Partition), t.Site, words.Count(t.Tags), words.Count(int(t.Events)),
			words.Count(int(rate)), words.Count(int(t.Retries)), fmt.Sprintf("%.1f", t.Seconds), t.State,
		})
		retries += t.Retries
	}
	all := []string{"all", "", words.Count(j.Tags), words.Count(int(j.Events)), "", words.Count(int(retries)), "", ""}
	table.Rows = append(table.Rows, all)
	for _, line := range table.Lines(nil) {
		fmt.Fprintln(w, line)
	}
}

// writeTroubles writes why tasks failed, each reason once. data is the data folder;
// trouble is lake.trouble.
func writeTroubles(w io.Writer, tasks []*scheduled, states []State, data string, trouble func(error) string) {
	said := map[string]bool{}
	for i, t := range tasks {
		var msg string
		switch {
		case t.err != nil:
			msg = why(t.err, data, trouble)
		case states[i] == Skipped:
			continue // the task that it waited for has the reason
		}
		for _, line := range append(t.result.Notes, msg) {
			if line != "" && !said[line] {
				said[line] = true
				fmt.Fprintf(w, "%s: %s\n", t.spec.Key, strings.ReplaceAll(text.Lines(line), "\n", "\n  "))
			}
		}
	}
}

// why returns the text of a task's error; trouble is lake.trouble.
func why(err error, data string, trouble func(error) string) string {
	if disk := trouble(err); disk != "" {
		return diag.Hinted(fmt.Sprintf("data folder %s %s; what is landed stays, the next run lands the rest", data, disk),
			"mend that, then give the same command again")
	}
	return err.Error()
}
