package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// skewWarning is the difference of clocks from which on discover warns.
const skewWarning = 10 * instant.Second

// discover prepares a run, before anything else: claim, recover, assign behind
// fences, pin, record. It alone reads the manifests, since a deploy may replace
// them at any moment.
func discover(ctx context.Context, a *attempt) error {
	return a.prepare(ctx, a.Params.RunID, "")
}

// prepare is discover for a run, of all sites or of a single one.
func (a *attempt) prepare(ctx context.Context, runID, site string) error {
	a.step("opening the tables")
	if err := a.Engine.Claim(ctx); err != nil {
		return fmt.Errorf("claim the tables: %w", err)
	}
	if err := a.recoverAll(ctx); err != nil {
		return err
	}
	if done, err := a.Engine.Runs(ctx, runID); err != nil || len(done) > 0 {
		return err // an earlier attempt has recorded this run
	}
	manifests, left, err := a.manifests()
	if err != nil {
		return err
	}
	earlier, err := a.Engine.Runs(ctx, "")
	if err != nil {
		return fmt.Errorf("read metadata.runs: %w", err)
	}
	listings, err := a.list(ctx, manifests, left, earlier, site)
	if err != nil {
		return err
	}
	planID, err := a.planID()
	if err != nil {
		return err
	}
	a.step("assigning tags to partitions")
	next, err := a.assign(ctx, runID, manifests, earlier, listings, planID)
	if err != nil {
		return err
	}
	if err := a.sortMissing(ctx, &next, listings); err != nil {
		return err
	}
	// Before the run: an extraction that finds the run finds these, too.
	if err := a.Engine.RecordTagErrors(ctx, next.errors(runID)); err != nil {
		return fmt.Errorf("write monitoring.tag_errors: %w", err)
	}
	if err := a.Engine.RecordRuns(ctx, a.runs(runID, listings, next, planID)); err != nil {
		return fmt.Errorf("record the run: %w", err)
	}
	return a.summarize(listings, next)
}

// maxRaces is how often discover repeats its assignment when other jobs of the
// pipeline change it meanwhile: by then each of them has had its turn.
const maxRaces = 20

// assign assigns tags to their owners, starting from the present owners, behind
// fences, in one commit.
func (a *attempt) assign(ctx context.Context, runID string, manifests []wanted, earlier []engine.Run, listings []listing,
	planID string) (assignment, error) {
	for race := 1; ; race++ {
		owners, seen, err := a.owners(ctx, 0)
		if err != nil {
			return assignment{}, err
		}
		next := assign(manifests, owners, listings, planID, ticks(a.Params.Backfill))
		next.change.At, next.change.Seen = later(earlier, seen), seen
		for _, p := range next.fence {
			// An attempt that still reads for p must be fenced before p's tags have another reader.
			if err := a.Engine.Fence(ctx, p, engine.Run{ID: runID, Assigned: next.change.At}); err != nil {
				return assignment{}, fmt.Errorf("fence partition %d: %w", p, err)
			}
		}
		err = a.Engine.Assign(ctx, next.change)
		switch {
		case errors.Is(err, engine.ErrRaced) && race < maxRaces:
			continue
		case err != nil:
			return assignment{}, fmt.Errorf("assign tags: %w", err)
		}
		return next, nil
	}
}

func (a *attempt) recoverAll(ctx context.Context) error {
	partitions, err := a.Engine.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("list unfinished partitions: %w", err)
	}
	for _, p := range partitions {
		if err := a.recover(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// recover finishes what attempts of a partition left behind. A staged batch that was
// damaged and set aside is not a failure: its ranges are read again, and a note and
// monitoring.tag_errors report it.
func (a *attempt) recover(ctx context.Context, partition int) error {
	err := a.Engine.Recover(ctx, partition)
	var aside engine.SetAside
	if !aside.Take(err) {
		return fmt.Errorf("recover partition %d: %w", partition, err)
	}
	if err == nil {
		return nil
	}
	a.result.Notes = append(a.result.Notes, aside.Error())
	if err := a.Engine.RecordTagErrors(ctx, aside.TagErrors()); err != nil {
		return fmt.Errorf("record what was set aside: %w", err)
	}
	return nil
}

// later returns an instant of assignment: now, in whole microseconds, but after any earlier one.
func later(earlier []engine.Run, changed instant.Ticks) instant.Ticks {
	at := max(instant.FromTime(time.Now()), changed+instant.Microsecond)
	for _, r := range earlier {
		at = max(at, r.Assigned+instant.Microsecond)
	}
	return at - at%instant.Microsecond
}

// manifests reads the bundle's partitions and the rows of tier none. It is an error if
// the folder cannot be listed, or if the list lacks a manifest of the plan: a list of
// a workspace folder may be incomplete, and tags without a manifest would lose their
// partition.
func (a *attempt) manifests() (out []wanted, left []inventory.Tag, err error) {
	folder := filepath.Join(a.Params.Bundle, manifest.Folder)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("list the manifests: %w", err)
	}
	there := map[int]bool{}
	for _, e := range entries {
		name, isCSV := strings.CutSuffix(e.Name(), ".csv")
		number, is := strings.CutPrefix(name, "partition-")
		if !isCSV || !is {
			continue
		}
		file := filepath.Join(folder, e.Name())
		partition, err := strconv.Atoi(number)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: a manifest is called partition-NNNN.csv", file)
		}
		tags, err := manifest.Load(file)
		if err != nil {
			return nil, nil, err
		}
		there[partition] = true
		for _, t := range tags {
			out = append(out, wanted{t, partition})
		}
	}
	if len(there) == 0 {
		return nil, nil, diag.WithHint(fmt.Errorf("%s has no manifests", folder), "bundlegen generate")
	}
	plan, err := a.plan()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range plan.Partitions {
		if !there[p.ID] {
			return nil, nil, diag.WithHint(fmt.Errorf("%s has no manifest of partition %d, which plan.json lists", folder, p.ID),
				"the bundle was deployed in part: deploy it again")
		}
	}
	left, err = a.leftOut(plan.LeftOut)
	return out, left, err
}

// plan is the part of plan.json that tasks read.
type plan struct {
	ID         string `json:"plan_id"`
	Partitions []struct {
		ID int `json:"partition_id"`
	} `json:"partitions"`
	LeftOut int `json:"left_out"` // rows of tier none
}

// plan reads the plan that made the bundle.
func (a *attempt) plan() (p plan, err error) {
	path := filepath.Join(a.Params.Bundle, "plan.json")
	data, err := regular.Read(path, 256<<20)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// planID reads the id of the plan that made the bundle.
func (a *attempt) planID() (string, error) {
	p, err := a.plan()
	return p.ID, err
}

// list lists the points of every site of the manifests, or of a single one,
// concurrently. A site that cannot be reached fails its own tasks only: its listing
// has the error.
func (a *attempt) list(ctx context.Context, manifests []wanted, left []inventory.Tag, earlier []engine.Run, only string,
) ([]listing, error) {
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, w := range manifests {
		if only == "" || w.tag.Site == only {
			names = append(names, w.tag.Site)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	out := make([]listing, len(names))
	a.lists = piwebapi.NewLists(len(manifests)+len(left), slices.Collect(maps.Values(sites))...)
	var g errgroup.Group
	g.SetLimit(16)
	for i, name := range names {
		out[i].site = name
		for _, r := range earlier {
			if r.Site == name {
				out[i].lastPointID = r.LastPointID
			}
		}
		g.Go(func() error {
			defer crash.Exit()
			site, ok := sites[name]
			if !ok {
				out[i].err = diag.WithHint(fmt.Errorf("sites.json has no site %q", name),
					"the bundle was changed by hand: generate it again")
				return nil
			}
			out[i].choice = choiceOf(site, manifests, left)
			out[i].err = a.ask(ctx, site, &out[i], manifests)
			return nil
		})
	}
	_ = g.Wait() // errors are in the listings
	var down []error
	for i := range out {
		a.result.Requests, a.result.Retries = a.result.Requests+out[i].requests, a.result.Retries+out[i].retries
		if out[i].err != nil {
			down = append(down, out[i].err) // it names the site
		}
	}
	if len(down) == len(out) {
		return nil, errors.Join(down...)
	}
	return out, ctx.Err()
}

// ask fills a listing.
func (a *attempt) ask(ctx context.Context, site manifest.Site, l *listing, manifests []wanted) error {
	limits := site.Limits
	if a.Params.Loop() {
		limits = a.Params.Limits // other tasks read from the site meanwhile
	}
	client, err := a.connect(site, limits)
	if err != nil {
		return err
	}
	defer client.Close()
	defer func() {
		l.requests, l.retries, l.notes, l.incomplete = client.Requests(), client.Retries(), client.Notes(), client.Incomplete()
	}()
	server, err := client.DataServer(ctx, site.DataServer)
	if err != nil {
		return err
	}
	if l.moment, err = a.moment(server); err != nil {
		return err
	}
	if l.doubt != "" {
		a.Log.Warn("the site's clock is not believed", "site", site.Name, "why", l.doubt, "until", l.until.String(), "by", l.by)
	}
	if err := a.find(ctx, client, server, site, l, manifests); err != nil {
		return err
	}
	// A server may refuse data to a user who may see lists. This is the last place where
	// a single task tries, and where the site's other tasks can be kept from trying.
	if len(l.points) > 0 {
		if err := client.SignIn(ctx, batch.Stream{WebID: l.points[0].WebID, After: l.until - instant.Second, Until: l.until}); err != nil {
			return err
		}
	}
	digital := slices.ContainsFunc(l.points, func(p piwebapi.Point) bool { return p.DigitalSet != "" })
	if !digital {
		return nil
	}
	sets, err := client.DigitalSets(ctx, server)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// The events have the names of states, too: landing goes on without the list.
		l.unnamed = fmt.Sprintf("the names of the digital states of site %s could not be read: %v", site.Name, err)
		return nil
	}
	l.states = make(map[string]string, len(sets))
	for name, states := range sets {
		byNumber := make(map[int32]string, len(states))
		for _, s := range states {
			byNumber[s.Value] = s.Name
		}
		text, err := json.Marshal(byNumber)
		if err != nil {
			return err
		}
		l.states[name] = string(text)
	}
	return nil
}

func (a *attempt) runs(runID string, listings []listing, next assignment, planID string) []engine.Run {
	var out []engine.Run
	unresolved := map[string]int{}
	for _, m := range next.unresolved {
		unresolved[m.tag.Site]++
	}
	for i := range listings {
		l := &listings[i]
		if l.err != nil {
			continue
		}
		last := l.lastPointID
		for i := 0; l.whole && i < len(l.points); i++ {
			last = max(last, l.points[i].ID)
		}
		out = append(out, engine.Run{ID: runID, Site: l.site, Tier: a.Params.Tier, Until: l.until, Assigned: next.change.At,
			LastPointID: last, Skew: l.skew, PlanID: planID, NewPoints: l.newPoints(&next),
			UntilBy: l.by, Doubt: l.doubt, Unresolved: unresolved[l.site]})
	}
	return out
}

// summarize notes what a person should know.
func (a *attempt) summarize(listings []listing, next assignment) error {
	note := func(format string, args ...any) {
		a.result.Notes = append(a.result.Notes, fmt.Sprintf(format, args...))
	}
	for i := range listings {
		l := &listings[i]
		if l.err != nil {
			note("a site could not be listed, and its tasks will fail: %v", l.err)
			a.result.Status = batch.Partial
			continue
		}
		for _, text := range []string{l.note(l.site), l.noteNew(&next)} {
			if text != "" {
				note("%s", text)
			}
		}
		a.result.Notes = append(a.result.Notes, l.notes...)
		if l.unnamed != "" {
			note("%s", l.unnamed)
		}
	}
	if text := next.note(); text != "" {
		note("%s", text)
	}
	hinted := func(hint, format string, args ...any) {
		note("%s", diag.Hinted(fmt.Sprintf(format, args...), hint))
	}
	const update = "bundlegen discover, then generate"
	switch n := len(next.gone); {
	case n == 1:
		hinted(update, "1 tag of the bundle is not on its server any more: %q", next.gone[0])
	case n > 1:
		hinted(update, "%d tags of the bundle are not on their server any more, such as %q", n, next.gone[0])
	}
	switch n := next.joined; {
	case n == 1:
		hinted(update+", to plan for it", "1 tag is new on the server and joined the lightest partition")
	case n > 1:
		hinted(update+", to plan for them", "%d tags are new on the server and joined the lightest partitions", n)
	}
	a.result.Tags = len(next.change.Tags)
	return nil
}
