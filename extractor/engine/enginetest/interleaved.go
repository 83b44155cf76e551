package enginetest

import (
	"errors"

	"github.com/bundlegen/bundlegen/extractor/engine"
)

// Each of these makes actors that are at work at the same time; package
// documentation of schedule.go says in which orders. After each schedule one
// undisturbed run lands the rest, and nothing is lost or doubled.

// attemptsInterleaved: two attempts of one partition, of which the first cannot
// read a tag that the second can.
func attemptsInterleaved(l *lab) {
	interleave(l, "attempts", func(l *lab) ([]actor, func() error) {
		l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0)))
		run := l.run(pin + 2*second)
		extract := func(number int, refused map[int64]bool) func(engine.Steps) error {
			return func(steps engine.Steps) error {
				a := l.attempt([]string{"", "A", "B"}[number], 0, run, number, steps)
				a.refused = refused
				return a.extract()
			}
		}
		return []actor{{"first attempt", extract(1, map[int64]bool{2: true})}, {"second attempt", extract(2, nil)}},
			func() error { return l.undisturbed(pin + 5*second) }
	})
}

// zombieInterleaved: beside a zombie that cannot read a tag its retry runs, then
// the next run's discover, which moves a tag behind a fence, then the next run's
// extractions of the old owner and the new one. It is the model's scenario.
func zombieInterleaved(l *lab) {
	interleave(l, "zombie", func(l *lab) ([]actor, func() error) {
		l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0)))
		run := l.run(pin + 2*second)
		zombie := func(steps engine.Steps) error {
			a := l.attempt("Z", 0, run, 1, steps)
			a.refused = map[int64]bool{2: true}
			return a.extract()
		}
		others := func(steps engine.Steps) error {
			if err := l.attempt("R", 0, run, 2, steps).extract(); err != nil {
				return err
			}
			d := l.discover("next", steps)
			if err := d.all(pin+4*second, owner(1, 1)); err != nil {
				return err
			}
			return errors.Join(l.attempt("E", 0, d.run, 1, steps).extract(), l.attempt("G", 1, d.run, 1, steps).extract())
		}
		return []actor{{"zombie", zombie}, {"retry and next run", others}},
			func() error { return l.undisturbed(pin + 5*second) }
	})
}

// discoversInterleaved: two tiers' discovers move the same tag to different
// partitions at the same time, beside an attempt that reads it.
func discoversInterleaved(l *lab) {
	interleave(l, "discovers", func(l *lab) ([]actor, func() error) {
		l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0)))
		run := l.run(pin + 2*second)
		discover := func(runID string, to engine.Owner) func(engine.Steps) error {
			return func(steps engine.Steps) error { return l.discover(runID, steps).all(pin+4*second, to) }
		}
		bulk := owner(1, 7)
		bulk.Tier = "bulk"
		return []actor{
			{"extraction", func(steps engine.Steps) error { return l.attempt("A", 0, run, 1, steps).extract() }},
			{"discover", discover("standard", owner(1, 1))},
			{"discover of bulk", discover("bulk", bulk)},
		}, func() error { return l.undisturbed(pin + 5*second) }
	})
}

// consolidationInterleaved: a consolidation beside another tier's extraction and
// a discover that fences it.
func consolidationInterleaved(l *lab) {
	interleave(l, "consolidation", func(l *lab) ([]actor, func() error) {
		l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0)))
		run := l.run(pin + 4*second)
		l.land(0, pin+second)
		return []actor{
			{"extraction", func(steps engine.Steps) error {
				a := l.attempt("A", 0, run, 1, steps)
				a.window = 2 * second
				return a.extract()
			}},
			{"consolidation", func(steps engine.Steps) error { return l.consolidate(l.engine("C", 1, steps)) }},
			{"discover", func(steps engine.Steps) error { return l.discover("next", steps).all(pin+4*second, owner(1, 1)) }},
		}, func() error { return l.undisturbed(pin + 5*second) }
	})
}
