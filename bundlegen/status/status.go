package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/templates"
)

// Outcomes of a run.
const (
	Succeeded = "succeeded"
	Partly    = "done in part" // some tags or partitions failed, the rest is landed
	Behind    = "catching up"  // out of time: the next run goes on
	Failed    = "failed"

	// Known of a workspace's jobs only:
	UnderWay  = "under way"
	Skipped   = "skipped" // another run was going on
	Cancelled = "cancelled"
)

// Status is how a pipeline is.
type Status struct {
	Pipeline string    `json:"pipeline"` // NAME, or NAME.TARGET on Databricks
	Region   string    `json:"region,omitempty"`
	Source   string    `json:"source"` // what was asked: a data folder's file, or a workspace
	At       time.Time `json:"at"`     // when

	Runs         []Run          `json:"runs"` // the last ten, the latest first
	Lags         []Lag          `json:"lags"` // by tier and site
	FailedTags   FailedTags     `json:"failed_tags"`
	Sites        []Site         `json:"sites"`
	Completeness []Completeness `json:"completeness"` // by tier and site
	Unfinished   []int          `json:"unfinished"`   // partitions with a batch that is staged or decided, and not landed yet

	// OnlyRuns means that the tables could not be asked for want of a SQL warehouse:
	// only Runs is known, and that by the workspace's jobs.
	OnlyRuns bool `json:"only_runs"`
}

// Run is one run of a tier's job.
type Run struct {
	ID         string     `json:"run_id"`
	Tier       string     `json:"tier"`
	Started    time.Time  `json:"started"`
	Ended      *time.Time `json:"ended"` // nil: it goes on
	Outcome    string     `json:"outcome"`
	Events     *int64     `json:"events"`     // nil: not known
	Partitions int        `json:"partitions"` // that were extracted
	Failed     int        `json:"failed_partitions"`
	Error      string     `json:"error,omitempty"` // of one that failed
	URL        string     `json:"url,omitempty"`   // of its page in the workspace
}

// Lag is how far the tags of a tier and site are behind.
type Lag struct {
	Tier       string     `json:"tier"`
	Site       string     `json:"site"`
	Tags       int        `json:"tags"`
	Without    int        `json:"tags_without"`       // without a watermark
	Newest     *time.Time `json:"newest"`             // up to here the tag that is furthest is landed; nil: none is
	Oldest     *time.Time `json:"oldest"`             // up to here all are
	OldestTag  string     `json:"oldest_tag"`         // the one that is furthest behind
	LagSeconds float64    `json:"lag_seconds"`        // from Newest to now
	MostBehind float64    `json:"oldest_lag_seconds"` // from Oldest to now
}

// FailedTags is the tags that the last run of their partition could not read.
type FailedTags struct {
	Count int         `json:"count"`
	First []FailedTag `json:"first"` // at most twenty, by site and name
}

// FailedTag is a tag that could not be read, and why.
type FailedTag struct {
	Site  string    `json:"site"`
	Tag   string    `json:"tag"`
	At    time.Time `json:"occurred_at"`
	Error string    `json:"error"`
}

// Site is what the last run recorded of a site.
type Site struct {
	Site       string    `json:"site"`
	At         time.Time `json:"recorded_at"`
	NewPoints  *int      `json:"new_points"` // that the inventory should have and has not; nil: not counted
	Unresolved int       `json:"unresolved"` // tags that the server does not know
	ClockDoubt string    `json:"clock_doubt,omitempty"`
}

// Completeness is what was landed against what PI counts.
type Completeness struct {
	Tier           string    `json:"tier"`
	Site           string    `json:"site"`
	CheckedAt      time.Time `json:"checked_at"`
	TagsChecked    int64     `json:"tags_checked"`
	ExpectedEvents int64     `json:"expected_events"`
	LandedEvents   int64     `json:"landed_events"`
	Share          float64   `json:"completeness"`
	IncompleteTags int64     `json:"incomplete_tags"`
}

// Rows is the answer to a query: texts by column, "" for null.
type Rows struct {
	Columns []string
	Records [][]string
}

// Query is a question to the tables.
type Query struct {
	Name string
	SQL  string
}

// Queries returns what to ask the tables of r's pipeline.
func Queries(r templates.Reader) ([]Query, error) {
	texts, err := templates.Statuses(r)
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, t := range texts {
		all = append(all, Query{Name: t.Name, SQL: string(t.Data)})
	}
	return all, nil
}

// Instant writes an instant as both engines read it, for templates.Reader.
func Instant(t time.Time) string { return t.UTC().Format("TIMESTAMP '2006-01-02 15:04:05Z'") }

// Read makes a Status of the answers to Queries, in their order. now is when they
// were asked.
func Read(queries []Query, answers []Rows, now time.Time) (*Status, error) {
	s := &Status{At: now.UTC(), Runs: []Run{}, Lags: []Lag{}, Sites: []Site{}, Completeness: []Completeness{}, Unfinished: []int{}}
	s.FailedTags.First = []FailedTag{}
	readers := map[string]func(*record){
		"runs.sql": s.run, "lag.sql": s.lag, "failed-tags.sql": s.failedTag, "sites.sql": s.site,
		"completeness.sql": s.completeness, "unfinished.sql": s.unfinished,
	}
	for i, q := range queries {
		read, ok := readers[q.Name]
		if !ok {
			continue
		}
		for _, cells := range answers[i].Records {
			r := &record{query: q.Name, columns: answers[i].Columns, cells: cells}
			read(r)
			if r.err != nil {
				return nil, r.err
			}
		}
	}
	return s, nil
}

func (s *Status) run(r *record) {
	ended := r.time("ended")
	run := Run{
		ID: r.text("run_id"), Tier: r.text("tier"), Started: r.time("started"), Ended: &ended, Events: new(r.whole("events")),
		Partitions: int(r.whole("partitions")), Failed: int(r.whole("failed_partitions")), Error: r.text("error"),
	}
	switch partial, lagging, broken := r.whole("partial_tasks"), r.whole("lagging_partitions"), r.whole("failed_tasks"); {
	case run.Partitions == 0 && broken > 0, run.Partitions > 0 && run.Failed == run.Partitions:
		run.Outcome = Failed
	case run.Failed > 0 || partial > 0 || broken > 0:
		run.Outcome = Partly
	case lagging > 0:
		run.Outcome = Behind
	default:
		run.Outcome = Succeeded
	}
	s.Runs = append(s.Runs, run)
}

func (s *Status) lag(r *record) {
	l := Lag{Tier: r.text("tier"), Site: r.text("site"), Tags: int(r.whole("tags")), Without: int(r.whole("tags_without"))}
	if newest, ok := r.ticks("newest_ticks"); ok {
		l.Newest, l.LagSeconds = &newest, s.At.Sub(newest).Seconds()
	}
	if oldest, ok := r.ticks("oldest_ticks"); ok {
		l.Oldest, l.MostBehind, l.OldestTag = &oldest, s.At.Sub(oldest).Seconds(), r.text("oldest_tag")
	}
	s.Lags = append(s.Lags, l)
}

func (s *Status) failedTag(r *record) {
	s.FailedTags.Count = int(r.whole("failed_tags"))
	f := FailedTag{Site: r.text("site"), Tag: r.text("tag_name"), At: r.time("occurred_at"), Error: r.text("error")}
	f.Error = strings.TrimPrefix(f.Error, fmt.Sprintf("site %q: ", f.Site))
	s.FailedTags.First = append(s.FailedTags.First, f)
}

// site takes the latest of what each tier's run recorded; new points from the
// latest that counted them.
func (s *Status) site(r *record) {
	is := Site{Site: r.text("site"), At: r.time("recorded_at"), Unresolved: int(r.whole("unresolved")), ClockDoubt: r.text("clock_doubt")}
	if r.text("new_points") != "" {
		is.NewPoints = new(int(r.whole("new_points")))
	}
	at := slices.IndexFunc(s.Sites, func(o Site) bool { return o.Site == is.Site })
	if at < 0 {
		s.Sites = append(s.Sites, is)
		return
	}
	if s.Sites[at].NewPoints == nil {
		s.Sites[at].NewPoints = is.NewPoints
	}
	s.Sites[at].Unresolved += is.Unresolved // each tier has tags of its own
}

func (s *Status) completeness(r *record) {
	s.Completeness = append(s.Completeness, Completeness{
		Tier: r.text("tier"), Site: r.text("site"), CheckedAt: r.time("checked_at"), TagsChecked: r.whole("tags_checked"),
		ExpectedEvents: r.whole("expected_events"), LandedEvents: r.whole("landed_events"), Share: r.number("completeness"),
		IncompleteTags: r.whole("incomplete_tags"),
	})
}

func (s *Status) unfinished(r *record) {
	s.Unfinished = append(s.Unfinished, int(r.whole("partition_id")))
}
