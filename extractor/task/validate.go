package task

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
)

// validate is the leaf of the job: it fails when any extraction of the run
// failed or discover did not finish (else a job whose leaves run whatever
// happened would end green and tell nobody), and when less was landed than PI
// itself counts.
func validate(ctx context.Context, a *attempt) error {
	runs, err := a.Engine.Runs(ctx, a.Params.RunID)
	if err != nil {
		return fmt.Errorf("read metadata.runs: %w", err)
	}
	if len(runs) == 0 {
		return fmt.Errorf("%w: discover did not finish in this run", ErrFailed)
	}
	parts, err := a.partitions(ctx, runs)
	if err != nil {
		return err
	}
	broken, err := a.broken(ctx, parts)
	if err != nil {
		return err
	}
	incomplete, err := a.complete(ctx, runs, parts)
	return errors.Join(err, a.judgement(broken, incomplete))
}

// part is a partition of the run's tier.
type part struct {
	id, tags int
	site     string
}

// partitions gives the partitions that the run's tier has by the run's own assignment.
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
// those of the assignment, and those that tried though they have no tags,
// because their site could never be listed.
func (a *attempt) broken(ctx context.Context, parts []part) ([]string, error) {
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
	var out []string
	for _, id := range slices.Compact(ids) {
		switch status := last[id]; status {
		case batch.Succeeded, batch.Partial:
		case batch.Lagging:
			a.result.Notes = append(a.result.Notes, fmt.Sprintf("partition %d%s is not caught up yet; the next run goes on", id, site[id]))
		case "":
			out = append(out, fmt.Sprintf("%d%s did not end", id, site[id]))
		default:
			out = append(out, fmt.Sprintf("%d%s: %s", id, site[id], status))
		}
	}
	return out, nil
}

// complete compares what was landed with what PI counts, fills
// monitoring.completeness, and gives the partitions below the threshold.
func (a *attempt) complete(ctx context.Context, runs []engine.Run, parts []part) ([]string, error) {
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	var rows []engine.Completeness
	defer func() { a.result.Completeness = summed(rows) }()
	var low []string
	var uncounted []error
	for _, r := range runs {
		client, err := a.connect(sites[r.Site], sites[r.Site].Limits)
		if err != nil {
			uncounted = append(uncounted, err) // it names the site
			continue
		}
		for _, p := range parts {
			if p.site != r.Site {
				continue
			}
			a.step("counting the events of partition %d", p.id)
			row, err := a.check(ctx, client, p)
			if err != nil {
				uncounted = append(uncounted, fmt.Errorf("partition %d of site %s could not be counted: %w", p.id, p.site, err))
				continue
			}
			if row.Tags == 0 {
				continue // nothing was new
			}
			rows = append(rows, row)
			if row.Share < a.Params.MinCompleteness {
				low = append(low, fmt.Sprintf("%d (site %s): %.2f%% of %d events", p.id, p.site, 100*row.Share, row.Expected))
			}
		}
		a.result.Requests, a.result.Retries = a.result.Requests+client.Requests(), a.result.Retries+client.Retries()
		client.Close()
	}
	if err := a.Engine.RecordCompleteness(ctx, rows); err != nil {
		return nil, fmt.Errorf("write monitoring.completeness: %w", err)
	}
	return low, errors.Join(uncounted...)
}

// summed adds the partitions' counts up; nil when nothing was counted.
func summed(rows []engine.Completeness) *Completeness {
	if len(rows) == 0 {
		return nil
	}
	all := Completeness{Share: 1}
	var met float64
	for _, r := range rows {
		all.Tags, all.Expected, met = all.Tags+r.Tags, all.Expected+r.Expected, met+r.Share*float64(r.Expected)
		all.Reread = all.Reread || r.Method == "reread"
	}
	if all.Expected > 0 {
		all.Share = met / float64(all.Expected)
	}
	return &all
}

func (a *attempt) judgement(broken, incomplete []string) error {
	var all []error
	if len(broken) > 0 {
		all = append(all, fmt.Errorf("%w: extraction of partition %s\nhint: see those tasks' messages and monitoring.tag_errors", ErrFailed, strings.Join(broken, ", ")))
	}
	if len(incomplete) > 0 {
		all = append(all, fmt.Errorf("%w: completeness below %.1f%% in partition %s\nhint: see monitoring.completeness",
			ErrFailed, 100*a.Params.MinCompleteness, strings.Join(incomplete, ", ")))
	}
	return errors.Join(all...)
}

// check counts a sample of a partition's tags, or all.
func (a *attempt) check(ctx context.Context, client *piwebapi.Client, p part) (engine.Completeness, error) {
	row := engine.Completeness{RunID: a.Params.RunID, Partition: p.id, Site: p.site, Tier: a.Params.Tier, Method: "count", Share: 1}
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
	if errors.Is(err, piwebapi.ErrNotSupported) {
		row.Method = "reread"
		counts, err = reread(ctx, client, sample)
	}
	if err != nil {
		return row, err
	}
	var met int64
	for _, c := range counts {
		if c.Err != nil {
			continue // what PI does not count cannot be compared
		}
		events := have[c.Index]
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
	if row.Tags == 0 {
		return row, fmt.Errorf("PI counted none of %d tags: %w", len(sample), counts[0].Err)
	}
	return row, nil
}

// pick takes n tags (all if n is 0), other ones in each run, the same in each attempt.
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

func streamsOf(sample []engine.Landed) []piwebapi.Stream {
	out := make([]piwebapi.Stream, len(sample))
	for i := range sample {
		l := &sample[i]
		out[i] = piwebapi.Stream{Index: int32(i), WebID: l.WebID, Name: l.Name, Numeric: numeric(l.PointType), EventsPerHour: -1, After: l.From, Until: l.To}
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

// counter is a sink that keeps nothing but the number of events of each
// stream. Done is called once for each, so that no two calls share a count.
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
func (c *counter) Done(o piwebapi.Outcome) {
	c.counts[o.Index] = piwebapi.Count{Index: o.Index, N: o.Events, Err: o.Err}
}
