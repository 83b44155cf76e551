package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// validate is the leaf of the job: it fails if any extraction of the run failed or
// discover did not finish (else a job whose leaves always run would end green), and if
// less was landed than PI itself counts.
func validate(ctx context.Context, a *attempt) error {
	runs, err := a.Engine.Runs(ctx, a.Params.RunID)
	if err != nil {
		return fmt.Errorf("read metadata.runs: %w", err)
	}
	if len(runs) == 0 {
		return lasting{fmt.Errorf("%w: discover did not finish in this run", ErrFailed)}
	}
	parts, err := a.partitions(ctx, runs)
	if err != nil {
		return err
	}
	broken, err := a.broken(ctx, parts)
	if err != nil {
		return err
	}
	incomplete, err := a.complete(ctx, runs, parts, broken)
	if verdict := a.judgement(broken, incomplete); verdict != nil {
		// Nothing is landed between two attempts: only counting is worth another.
		return lasting{errors.Join(verdict, err)}
	}
	return err
}

// broken is a partition whose extraction did not end well.
type broken struct {
	partition int
	how       string
}

// part is a partition of the run's tier.
type part struct {
	id, tags int
	site     string
}

// partitions returns the partitions that the run's tier has by the run's own assignment.
func (a *attempt) partitions(ctx context.Context, runs []engine.Run) ([]part, error) {
	at := runs[0].Assigned
	owners, _, err := a.owners(ctx, at)
	if err != nil {
		return nil, err
	}
	byID := map[int]*part{}
	for i := range owners {
		o := &owners[i]
		if o.Tier != a.Params.Tier {
			continue
		}
		if byID[o.Partition] == nil {
			byID[o.Partition] = &part{id: o.Partition, site: o.Site}
		}
		byID[o.Partition].tags++
	}
	var out []part
	for _, p := range byID {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(x, y part) int { return x.id - y.id })
	return out, nil
}

// broken lists the partitions whose extraction did not end well in this run:
// those of the assignment, and those that ran without tags because their site could
// never be listed.
func (a *attempt) broken(ctx context.Context, parts []part) ([]broken, error) {
	last, err := a.Engine.LastAttempts(ctx, a.Params.RunID)
	if err != nil {
		return nil, fmt.Errorf("read monitoring.pipeline_metrics: %w", err)
	}
	delete(last, engine.OfDiscover)
	site, ids := map[int]string{}, slices.Collect(maps.Keys(last))
	for _, p := range parts {
		site[p.id], ids = " of site "+p.site, append(ids, p.id)
	}
	slices.Sort(ids)
	var out []broken
	for _, id := range slices.Compact(ids) {
		switch status := last[id]; status {
		case batch.Succeeded, batch.Partial:
		case batch.Lagging:
			a.result.Notes = append(a.result.Notes, fmt.Sprintf("partition %d%s is not caught up yet; the next run goes on", id, site[id]))
		case "":
			out = append(out, broken{id, fmt.Sprintf("%d%s did not end", id, site[id])})
		default:
			out = append(out, broken{id, fmt.Sprintf("%d%s: %s", id, site[id], status)})
		}
	}
	return out, nil
}

// countRounds is how often partitions are counted whose site does not answer: the job
// does not retry this, since it cannot distinguish it from a lasting failure.
const countRounds = 4

// complete compares what was landed with what PI counts, fills monitoring.completeness,
// and returns the partitions below the threshold. Those whose extraction failed are not
// counted: the next run continues them.
func (a *attempt) complete(ctx context.Context, runs []engine.Run, parts []part, failed []broken) (low []string, err error) {
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	var rows []engine.Completeness
	defer func() { a.result.Completeness = summed(rows) }()
	var uncounted []error
	for _, r := range runs {
		left := slices.DeleteFunc(slices.Clone(parts), func(p part) bool {
			return p.site != r.Site || slices.ContainsFunc(failed, func(b broken) bool { return b.partition == p.id })
		})
		rounds := countRounds
		if len(failed) > 0 {
			rounds = 1 // the run has failed anyway
		}
		counted, err := a.countSite(ctx, sites[r.Site], left, rounds)
		if err != nil {
			uncounted = append(uncounted, err)
		}
		rows = append(rows, counted...)
	}
	for _, row := range rows {
		if row.Share < a.Params.MinCompleteness {
			low = append(low, fmt.Sprintf("%d (site %s): %.2f%% of %d events", row.Partition, row.Site, 100*row.Share, row.Expected))
		}
	}
	if err := a.Engine.RecordCompleteness(ctx, rows); err != nil {
		return nil, fmt.Errorf("write monitoring.completeness: %w", err)
	}
	return low, errors.Join(uncounted...)
}

// countSite counts partitions of a site. Those that cannot be counted because the site
// fails are counted again, for a number of rounds within the task's time.
func (a *attempt) countSite(ctx context.Context, site manifest.Site, left []part, rounds int) (rows []engine.Completeness, err error) {
	if len(left) == 0 {
		return nil, nil
	}
	client, err := a.connect(site, site.Limits)
	if err != nil {
		return nil, err // it names the site
	}
	defer client.Close()
	defer func() {
		a.result.Requests, a.result.Retries = a.result.Requests+client.Requests(), a.result.Retries+client.Retries()
	}()
	pause := 10 * cmp.Or(seconds(site.Retry.BackoffSeconds), time.Second)
	for round := 1; ; round++ {
		var again []part
		var failures []error
		worth := false
		for _, p := range left {
			a.step("counting the events of partition %d", p.id)
			row, err := a.check(ctx, client, p)
			if err != nil {
				var said *piwebapi.Error
				worth = worth || !errors.As(err, &said) || said.Retryable
				again = append(again, p)
				failures = append(failures, fmt.Errorf("partition %d of site %s could not be counted: %w", p.id, p.site, err))
				continue
			}
			if row.Tags > 0 { // otherwise nothing was new
				rows = append(rows, row)
			}
		}
		last := a.Params.TimeoutSecs > 0 && time.Since(a.started)+pause > seconds(manifest.LastStart*float64(a.Params.TimeoutSecs))
		if len(again) == 0 || !worth || round >= rounds || last {
			return rows, errors.Join(failures...)
		}
		a.Log.Warn("the site could not be asked for counts; once more after a pause", "site", site.Name, "round", round, "of", rounds,
			"pause", pause, "error", failures[0])
		if err := sleep.For(ctx, pause); err != nil {
			return rows, err
		}
		left, pause = again, 2*pause
	}
}

// summed adds the partitions' counts up; nil if nothing was counted.
func summed(rows []engine.Completeness) *Completeness {
	if len(rows) == 0 {
		return nil
	}
	all := Completeness{Share: 1}
	var met float64
	for _, r := range rows {
		all.Tags, all.Expected, met = all.Tags+r.Tags, all.Expected+r.Expected, met+r.Share*float64(r.Expected)
		all.Reread = all.Reread || r.Method == byReread
	}
	if all.Expected > 0 {
		all.Share = met / float64(all.Expected)
	}
	return &all
}

func (a *attempt) judgement(failed []broken, incomplete []string) error {
	var all []error
	if len(failed) > 0 {
		how := make([]string, len(failed))
		for i, b := range failed {
			how[i] = b.how
		}
		all = append(all, diag.WithHint(fmt.Errorf("%w: extraction of partition %s", ErrFailed, strings.Join(how, ", ")),
			"see those tasks' messages and monitoring.tag_errors"))
	}
	if len(incomplete) > 0 {
		all = append(all, diag.WithHint(fmt.Errorf("%w: completeness below %.1f%% in partition %s", ErrFailed, 100*a.Params.MinCompleteness,
			strings.Join(incomplete, ", ")),
			"see monitoring.completeness"))
	}
	return errors.Join(all...)
}

// check counts a sample of a partition's tags, or all.
func (a *attempt) check(ctx context.Context, client *piwebapi.Client, p part) (engine.Completeness, error) {
	row := engine.Completeness{RunID: a.Params.RunID, Partition: p.id, Site: p.site, Tier: a.Params.Tier, Method: byCount,
		Compares: comparesCount, Share: 1}
	landed, err := a.Engine.LandedBy(ctx, a.Params.RunID, p.id)
	if err != nil {
		return row, err
	}
	sample := pick(landed, a.Params.SampleTags, a.Params.RunID)
	if len(sample) == 0 {
		return row, nil
	}
	have, err := a.Engine.CountLanded(ctx, sample)
	if err != nil {
		return row, fmt.Errorf("count in bronze: %w", err)
	}
	counts, err := client.Counts(ctx, streamsOf(sample))
	counted := func(c piwebapi.Count) bool { return c.Err == nil }
	if errors.Is(err, piwebapi.ErrNotSupported) || err == nil && !slices.ContainsFunc(counts, counted) {
		row.Method, row.Compares = byReread, comparesReread
		counts, err = reread(ctx, client, sample)
	}
	if err != nil {
		return row, err
	}
	var met int64
	var why string
	for i, c := range counts {
		if c.Err != nil { // it cannot be compared, which is not a fault of landing
			if row.Uncounted++; why == "" {
				why = fmt.Sprintf("%q: %v", sample[i].Name, c.Err)
			}
			continue
		}
		events := have[i]
		row.Tags++
		row.Expected += c.N
		row.Landed += events
		met += min(events, c.N)
		if events < c.N {
			row.Incomplete++
		}
		a.result.Tags++
	}
	if row.Expected > 0 {
		row.Share = float64(met) / float64(row.Expected)
	}
	if row.Uncounted > 0 {
		a.result.Notes = append(a.result.Notes, fmt.Sprintf("partition %d of site %s: %d of %d tags could not be counted, and are left "+
			"out of the completeness, for instance %s",
			p.id, p.site, row.Uncounted, len(sample), why))
	}
	return row, nil
}

// How PI's events are counted. Completeness covers what was landed last: not older
// ranges, nor events that arrived in PI or changed there since.
const (
	byCount        = "count"
	byReread       = "reread"
	comparesCount  = "what PI counts in the range that the run landed last of each tag, with what bronze has there"
	comparesReread = "what PI gives when the range that the run landed last of each tag is read once more, with what bronze has there; " +
		"PI itself could not count"
)

// pick selects n tags (all if n is 0): others in each run, the same in each attempt.
func pick(all []engine.Landed, n int, runID string) []engine.Landed {
	if n <= 0 || n >= len(all) {
		return all
	}
	rank := func(l *engine.Landed) uint64 {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%s\x00%d", runID, l.Site, l.PointID)
		return h.Sum64()
	}
	out := slices.Clone(all)
	slices.SortFunc(out, func(x, y engine.Landed) int {
		if a, b := rank(&x), rank(&y); a != b {
			if a < b {
				return -1
			}
			return 1
		}
		return 0
	})
	return out[:n]
}

func streamsOf(sample []engine.Landed) []batch.Stream {
	out := make([]batch.Stream, len(sample))
	for i := range sample {
		l := &sample[i]
		out[i] = batch.Stream{PointID: l.PointID, WebID: l.WebID, Name: l.Name, Numeric: batch.Numeric(l.PointType), EventsPerHour: -1,
			After: l.From, Until: l.To}
	}
	return out
}

// reread counts by reading the events once more, for servers without summaries.
func reread(ctx context.Context, client *piwebapi.Client, sample []engine.Landed) ([]piwebapi.Count, error) {
	c := counter{client: client, counts: make([]piwebapi.Count, len(sample))}
	if err := client.Recorded(ctx, streamsOf(sample), &c); err != nil {
		return nil, err
	}
	return c.counts, nil
}

// counter is a sink that keeps only the number of events of each stream. Done is
// called once for each, so that no two calls share a count.
type counter struct {
	client *piwebapi.Client
	counts []piwebapi.Count
}

// Events implements piwebapi.Sink.
func (c *counter) Events(_ context.Context, b *columns.Batch) error {
	c.client.Free(b)
	return nil
}

// Done implements piwebapi.Sink.
func (c *counter) Done(i int, o batch.Outcome, err error) {
	c.counts[i] = piwebapi.Count{N: o.Events, Err: err}
}
