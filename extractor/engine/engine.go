package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Engine keeps the tables of one pipeline.
type Engine interface {
	Landing
	Records
	Upkeep

	// Close gives up what the engine holds. Nothing that was promised depends on it.
	Close() error
}

// Landing is the protocol by which events get into bronze exactly once, and by
// which tags get from one partition to another meanwhile.
type Landing interface {
	// Claim makes the schemas and tables that are missing and checks that the
	// checkpoints belong to what is in bronze. It fails with a *LostCheckpoints
	// where bronze has rows of this pipeline and the checkpoints have none, and with
	// a *LostBronze where bronze is gone and the checkpoints say that it had rows.
	Claim(ctx context.Context) error

	// Unfinished lists the partitions, of all that ever were, for which Recover has
	// something to do: those with a staging folder, and those with a batch that is
	// decided and not applied. Ascending. A writer at work is among them.
	Unfinished(ctx context.Context) ([]int, error)

	// Recover finishes what attempts of a partition left behind: applies what is
	// decided and not applied, in order of number, then publishes whole folders
	// whose number is still free, then removes what is of no more use. It is the
	// first step of an extraction, and of discover for every partition that is
	// unfinished. A folder that is not what was staged is set aside, and the rest is
	// done all the same: that is a *SetAside.
	Recover(ctx context.Context, partition int) error

	// Owners gives the assignment in force at an instant; 0 means the latest.
	// changed is the instant of the latest change of all, 0 when there was none.
	Owners(ctx context.Context, at instant.Ticks) (owners []Owner, changed instant.Ticks, err error)

	// Former lists the owners of a site's tags whose ownership has ended, each point
	// and name once: with the present ones, all tags that some run has found there.
	Former(ctx context.Context, site string) ([]Owner, error)

	// Fence decides an empty batch under the partition's next number, so that an
	// attempt of a run that was assigned before run.Assigned can only lose there.
	// What was decided before it is applied when Fence returns.
	Fence(ctx context.Context, partition int, run Run) error

	// Assign records a change of owners and the pins of tags that have no
	// watermark. The change of owners is one commit, and whoever sees it sees its
	// pins. Partitions that lose a tag are fenced before. It fails with ErrRaced,
	// and no owner is changed, when another change came after c.Seen: two jobs of
	// one pipeline may start at the same instant.
	Assign(ctx context.Context, c Change) error

	// Open takes one snapshot of a partition: its tags as of run.Assigned with
	// their watermarks, the last number, and the latest fence. It fails with
	// ErrZombie when a later run has fenced the partition.
	Open(ctx context.Context, partition int, run Run) (State, error)

	// Folder names a new staging folder for a batch; the caller writes and seals it.
	// Release says that its writer is done with it, whole or torn.
	Folder(partition int, number int64, batchID string) (f stage.Folder, release func())

	// Publish lands a whole folder: decides it and applies it. Lost means that the
	// number was taken by another batch: the folder is thrown away, and the caller
	// opens anew. After an error the folder is still there: Recover finishes it. But
	// one that is not what was staged is set aside: that is a *SetAside.
	Publish(ctx context.Context, f stage.Folder) (Verdict, error)
}

// Records is what runs leave behind for each other and for people.
type Records interface {
	// RecordRuns records what a run reads, for each site. A run and site that is
	// recorded already stays as it is: a retry of discover changes nothing.
	RecordRuns(ctx context.Context, runs []Run) error

	// Runs gives what was recorded for a run; a run_id of "" gives the latest
	// record of each site, of any run.
	Runs(ctx context.Context, runID string) ([]Run, error)

	// RecordAttempt adds a row to pipeline_metrics for an attempt of a task that
	// ended without a batch of its own. It carries no number and no token.
	RecordAttempt(ctx context.Context, a Attempt) error

	// LastAttempts gives, for each partition, the status of the latest row that a run's
	// extractions left in pipeline_metrics. A partition without one is not in the map.
	// That of discover is under OfDiscover.
	LastAttempts(ctx context.Context, runID string) (map[int]string, error)

	// RecordTagErrors adds rows to monitoring.tag_errors for tags that failed outside a batch.
	RecordTagErrors(ctx context.Context, rows []TagError) error

	// Unresolved lists the tags of a partition that a run's discover did not find on
	// their server, each once: the rows of RecordTagErrors that have no point.
	Unresolved(ctx context.Context, runID string, partition int) ([]TagError, error)

	// LandedBy lists, for each tag whose latest range no validation has counted yet,
	// that range: it was landed by a batch of the run; or by an earlier run's that
	// was recovered, or whose run ended without a validation that succeeded.
	LandedBy(ctx context.Context, runID string, partition int) ([]Landed, error)

	// CountLanded counts the events that bronze has of each tag in its range.
	CountLanded(ctx context.Context, tags []Landed) ([]int64, error)

	// RecordCompleteness adds rows to monitoring.completeness.
	RecordCompleteness(ctx context.Context, rows []Completeness) error
}

// Upkeep is what keeps the tables small and quick, and what mends them.
type Upkeep interface {
	// Compact keeps each tag's greatest watermark and each partition's last
	// batch row; it is the same at any number of repetitions.
	Compact(ctx context.Context) error

	// Optimize lays the rows of bronze out for readers.
	Optimize(ctx context.Context) error

	// Mend gives what to do about watermarks of a site's tags that lie before or
	// beyond bounds, or both: SQL statements, and where to run them, after which the
	// next run lands every event once again.
	Mend(site string, b batch.Bounds, before, beyond bool) string
}

// Steps is told of each durable step that a method of an engine is about to
// take, by name; the method ends with the error that it returns. It is nil but
// in tests, which stop an attempt between two steps, for a while or for good.
type Steps func(step string) error

// At tells of a step.
func (s Steps) At(step string) error {
	if s == nil {
		return nil
	}
	return s(step)
}

// Verdict is what became of a folder.
type Verdict int

// The verdicts of Publish.
const (
	Applied Verdict = iota // its events are in bronze
	Lost                   // its number belongs to another batch
)

// Run is what a run reads of a site, as discover recorded it.
type Run struct {
	ID          string
	Site, Tier  string
	Until       instant.Ticks
	Assigned    instant.Ticks // the assignment in force: whole microseconds
	LastPointID int64
	Skew        instant.Ticks // the site's clock less this machine's
	PlanID      string
	NewPoints   int    // points of the site that the inventory should have and has not; negative when not counted
	UntilBy     string // what Until comes from: one of the constants below; "" in a row of an older version
	Doubt       string // why the site's clock was not believed; "" when it was
	Unresolved  int    // tags of the run's tier that are not on their server, and never were
}

// What a run's Until comes from.
const (
	ByGiven  = "given"  // --until
	ByJob    = "job"    // the job's start; in a loop, this machine's clock
	ByServer = "server" // the clock of the site's PI Data Archive
	ByHTTP   = "http"   // the header Date of the site's answer
)

// OfDiscover stands for discover where there is otherwise a partition's id.
const OfDiscover = -1

// Owner is a tag and the partition that owns it.
type Owner struct {
	PointID       int64
	WebID, Name   string
	Site, Tier    string
	Partition     int
	PlanID        string
	Discovered    bool // newer than the bundle: joined by discover
	PointType     string
	Units         string
	EventsPerHour float64 // negative when unknown
	Unmarked      bool    // it has neither a watermark nor a pin: somebody deleted them
}

// Key identifies a tag within a pipeline: PI's own point id survives a rename.
type Key struct {
	Site    string
	PointID int64
}

// Key gives the owner's tag.
func (o *Owner) Key() Key { return Key{o.Site, o.PointID} }

// Tag is what metadata.tags says of a tag.
type Tag struct {
	PointID          int64
	WebID, Name      string
	Site             string
	PointType, Units string
	Descriptor       string
	DigitalSet       string
	DigitalStates    string // JSON object: number -> name; "" when none
	Future           bool
}

// Change is a change of the assignment.
type Change struct {
	At     instant.Ticks // from when on: whole microseconds, later than any change before
	Seen   instant.Ticks // the latest change that this one was made from, as Owners gave it
	Close  []Key         // tags whose present ownership ends: moved, renamed or gone
	Open   []Owner       // ownerships that begin
	Pins   []Pin
	Tags   []Tag // of all sites that were reached: metadata.tags becomes this for them
	Sites  []string
	PlanID string
}

// Pin is where a tag without a watermark starts. Of two pins the earlier wins.
type Pin struct {
	Key         Key
	WebID, Name string
	Partition   int
	At          instant.Ticks // reading starts with what is later than this
}

// State is a partition's snapshot.
type State struct {
	Epoch string
	Last  int64 // the greatest number that is taken; 0 = none
	Tags  []batch.Tag
}

// Attempt is a row of pipeline_metrics without a batch.
type Attempt struct {
	RunID      string
	Task       string
	Tier, Site string
	Partition  int // negative for tasks other than extract
	Number     int // 1, 2, 3 …
	Started    time.Time
	Ended      time.Time
	Tags       int
	Failed     int
	Events     int64 // of no batch: 0 for extract, whose batches have rows of their own
	Requests   int64
	Retries    int64 // requests that were sent again
	Status     string
	Error      string
}

// Landed is the latest range of a tag that was landed.
type Landed struct {
	PointID     int64
	WebID, Name string
	PointType   string
	Site        string
	From, To    instant.Ticks
}

// Completeness is a row of monitoring.completeness.
type Completeness struct {
	RunID            string
	Partition        int
	Site, Tier       string
	Tags             int
	Expected, Landed int64
	Share            float64
	Incomplete       int
	Method           string
	Uncounted        int    // tags of the sample that could not be counted: in none of the figures
	Compares         string // what with what, in words
}

// TagError is a row of monitoring.tag_errors. A tag that was never found on its
// server has neither a point id, nor a WebID, nor a watermark.
type TagError struct {
	RunID       string
	Partition   int
	WebID, Name string
	Site        string
	PointID     int64
	Error       string
	Watermark   instant.Ticks
}

// FailedTags gives a row for each tag that a batch could not read.
func FailedTags(h *batch.Header) []TagError {
	var rows []TagError
	for _, o := range h.Outcomes {
		if o.Error != "" {
			rows = append(rows, TagError{RunID: h.RunID, Partition: h.Partition, WebID: o.WebID, Name: o.Name, Site: h.Site, PointID: o.PointID, Error: o.Error, Watermark: o.To})
		}
	}
	return rows
}

// OutOfBounds reports that a partition has tags whose watermarks lie where none may
// be: an older version believed a clock that was wrong.
type OutOfBounds struct {
	Partition int
	Site      string
	Bounds    batch.Bounds
	Tags      []batch.Tag // those tags
	Mend      string      // as Upkeep.Mend returns it
}

// Outside returns the error of a partition with such tags; nil when it has none.
func Outside(e Upkeep, partition int, site string, b batch.Bounds, tags []batch.Tag) error {
	bad := b.Outside(tags)
	if len(bad) == 0 {
		return nil
	}
	before, beyond := false, false
	for _, t := range bad {
		before, beyond = before || t.Watermark < b.First, beyond || t.Watermark > b.Last
	}
	return &OutOfBounds{Partition: partition, Site: site, Bounds: b, Tags: bad, Mend: e.Mend(site, b, before, beyond)}
}

func (e *OutOfBounds) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "partition %d of site %q: the watermarks of %d of its tags are not between %s and %s:", e.Partition, e.Site, len(e.Tags), e.Bounds.First, e.Bounds.Last)
	for i, t := range e.Tags {
		if i == 10 {
			fmt.Fprintf(&b, " and %d more", len(e.Tags)-i)
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %q at %s", t.Name, t.Watermark)
	}
	fmt.Fprintf(&b, "\nA wrong clock was believed, or --until named an instant far in the future: nothing is read for them.")
	return diag.Hinted(b.String(), e.Hint())
}

// Hint returns what to do about it.
func (e *OutOfBounds) Hint() string { return e.Mend }

// ErrZombie says that a later run has taken over: this attempt must stop.
var ErrZombie = errors.New("a later run has taken this partition's tags over: this attempt stops here, and nothing of it is lost")

// ErrNoTables says that a task other than discover came first.
var ErrNoTables = errors.New("there are no tables yet: discover makes them, and has not run")

// ErrRaced says that the assignment was changed by another task meanwhile: it is to be made anew.
var ErrRaced = errors.New("the assignment of tags was changed by another job of this pipeline meanwhile")

// ErrInUse says that another process has the data folder.
var ErrInUse = errors.New("the data folder is in use by another run")

// LostCheckpoints says that bronze has rows of a pipeline whose checkpoints are gone.
type LostCheckpoints struct {
	Pipeline string
	Rows     int64
}

func (e *LostCheckpoints) Error() string {
	return diag.Hinted(fmt.Sprintf("bronze.pi_timeseries has %d rows of pipeline %q, but its checkpoints are gone (dropped, restored or cloned):"+
		" going on would land events twice", e.Rows, e.Pipeline), e.Hint())
}

// Hint returns what to do about it.
func (e *LostCheckpoints) Hint() string {
	return "restore the checkpoints schema together with bronze, or, to start over, delete the pipeline's rows from bronze.pi_timeseries and metadata.tag_partitions"
}

// LostBronze reports that the table of events is gone, of which the checkpoints say
// that it had events.
type LostBronze struct {
	Table     string   // its full name
	Schema    string   // of the checkpoints, its full name
	Metadata  string   // the schema of the assignment, its full name
	Pipelines []string // that have landed something there
	Restore   string   // how the engine's tables are had back
}

func (e *LostBronze) Error() string {
	return diag.Hinted(fmt.Sprintf("%s is gone (dropped or renamed), but the checkpoints say that pipeline %s has landed events there:"+
		" with a new table these would be missing without a word", e.Table, strings.Join(e.Pipelines, ", ")), e.Hint())
}

// Hint returns what to do about it.
func (e *LostBronze) Hint() string {
	return fmt.Sprintf("%s; or drop the schemas %s and %s too (DROP SCHEMA … CASCADE), to start over: what extract.backfill says is read again",
		e.Restore, e.Schema, e.Metadata)
}

// NotOurs reports that a table refuses rows because of a column that somebody added.
func NotOurs(column string) string {
	return fmt.Sprintf("its column %s is not ours and may not be null: no row can be added", column)
}

// LostBatch reports that a batch was decided but neither a folder that can be
// believed nor its rows are there.
type LostBatch struct {
	Partition int
	Number    int64
	BatchID   string
	Ranges    []batch.Outcome
	Reason    string   // what is wrong with its folder; "" = it is gone
	Folder    string   // where that is, or was last seen; "" = unknown
	Mend      []string // statements after which the ranges are read again
}

func (e *LostBatch) Error() string {
	msg := fmt.Sprintf("partition %d: batch %d (%s) was decided, but its staging folder and its rows are gone", e.Partition, e.Number, e.BatchID)
	if e.Reason != "" {
		msg = fmt.Sprintf("partition %d: batch %d (%s) was decided and its rows are not there, but its staging folder is not what was staged (%s)", e.Partition, e.Number, e.BatchID, e.Reason)
	}
	msg += "; its ranges are" + ranged(e.Ranges)
	return diag.Hinted(msg, e.Hint())
}

// Hint returns the ways to have the rows back; "" when there are none.
func (e *LostBatch) Hint() string {
	if len(e.Mend) == 0 {
		return ""
	}
	folder := "the staging folder"
	if e.Reason != "" {
		folder += " " + e.Folder
	}
	return "restore " + folder + ", and the next run lands it; or have the ranges read again: stop the pipeline's jobs, run these in order, start a run\n  " +
		strings.Join(e.Mend, ";\n  ") + ";"
}
