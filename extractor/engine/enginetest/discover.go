package enginetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// discovery is an attempt of a discover task: what extractor/task does, with the
// owners that it is told.
type discovery struct {
	*lab
	engine.Engine
	run   engine.Run
	steps engine.Steps
	pins  map[int64]instant.Ticks // where new tags start, if not at pin
	races int                     // how often another discover was faster
}

// discover gives an attempt of a run's discover.
func (l *lab) discover(runID string, steps engine.Steps) *discovery {
	return &discovery{lab: l, Engine: l.engine(runID, 1, steps), run: engine.Run{ID: runID, Site: site, Tier: "standard"}, steps: steps}
}

// all does the whole task: recover, assign behind fences, pin, record the run.
func (d *discovery) all(until instant.Ticks, owners ...engine.Owner) error {
	partitions, err := d.Unfinished(d.ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := d.Recover(d.ctx, p); err != nil {
			return fmt.Errorf("recover partition %d: %w", p, err)
		}
	}
	if done, err := d.Runs(d.ctx, d.run.ID); err != nil || len(done) > 0 {
		return err // an earlier attempt recorded this run
	}
	if err := d.assign(owners...); err != nil {
		return err
	}
	d.run.Until = until
	return d.RecordRuns(d.ctx, []engine.Run{d.run})
}

// assign makes the owners so, of the tags that they name: behind fences, with
// pins for tags that are new, and anew when another change came in between.
func (d *discovery) assign(owners ...engine.Owner) error {
	for {
		if err := d.steps.At(taskStep + "assign"); err != nil {
			return err
		}
		err := d.once(owners)
		if !errors.Is(err, engine.ErrRaced) || d.races == 3 {
			return err
		}
		d.races++
	}
}

func (d *discovery) once(owners []engine.Owner) error {
	present, seen, err := d.Owners(d.ctx, 0)
	if err != nil {
		return err
	}
	at := seen + second
	if seen == 0 {
		at = d.at() + second
	}
	change, fences := d.change(present, owners)
	change.At, change.Seen, d.run.Assigned = at, seen, at
	for _, p := range fences {
		if err := d.Fence(d.ctx, p, d.run); err != nil {
			return fmt.Errorf("fence partition %d: %w", p, err)
		}
	}
	if err := d.Assign(d.ctx, change); err != nil {
		return fmt.Errorf("assign: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = max(d.clock, at)
	return nil
}

func (l *lab) at() instant.Ticks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock
}

// change gives what makes the owners so, and the partitions that lose a tag.
func (d *discovery) change(present, owners []engine.Owner) (c engine.Change, fences []int) {
	c.PlanID = "plan"
	for _, o := range owners {
		d.name(o)
		at := slices.IndexFunc(present, func(p engine.Owner) bool { return p.Key() == o.Key() })
		if at < 0 {
			p := pinOf(o.PointID, o.Partition, pin)
			if start, ok := d.pins[o.PointID]; ok {
				p.At = start
			}
			p.WebID, p.Name = o.WebID, o.Name
			c.Pins = append(c.Pins, p)
			c.Open = append(c.Open, o)
			continue
		}
		if present[at] == o {
			continue
		}
		c.Close, c.Open = append(c.Close, o.Key()), append(c.Open, o)
		if was := present[at].Partition; was != o.Partition && !slices.Contains(fences, was) {
			fences = append(fences, was)
		}
	}
	return c, fences
}

// name notes what a point is called.
func (l *lab) name(o engine.Owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history.webs[o.WebID] = o.PointID
}

// consolidate compacts and optimizes, as the first tier's job does.
func (l *lab) consolidate(e engine.Engine) error {
	if err := e.Compact(l.ctx); err != nil {
		return err
	}
	return e.Optimize(l.ctx)
}
