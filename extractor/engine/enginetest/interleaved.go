package enginetest

import (
	"github.com/bundlegen/bundlegen/extractor/engine"
)

// Each of these makes actors that are at work at the same time; interleave says
// in which orders. After each schedule one undisturbed run lands the rest, and
// nothing is lost or doubled.

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

// zombieInterleaved: beside a zombie that cannot read a tag there are its retry,
// and the next run: its discover, which moves a tag behind a fence, its discover
// once more if that died, and its extraction of the tag's new partition. The
// extraction of the old one comes after the schedule. It is the model's scenario.
func zombieInterleaved(l *lab) {
	interleave(l, "zombie", func(l *lab) ([]actor, func() error) {
		l.must(l.discover("D", nil).assign(owner(1, 0), owner(2, 0)))
		run := l.run(pin + 2*second)
		zombie := func(steps engine.Steps) error {
			a := l.attempt("Z", 0, run, 1, steps)
			a.refused = map[int64]bool{2: true}
			return a.extract()
		}
		next := func(steps engine.Steps) error {
			discover := func() error { return l.discover("next", steps).all(pin+4*second, owner(1, 1)) }
			return inTurn(steps, discover, discover, func() error {
				runs, err := l.plain().Runs(l.ctx, "next")
				if err != nil || len(runs) == 0 {
					return err // both attempts died
				}
				return l.attempt("G", 1, runs[0], 1, steps).once()
			})
		}
		return []actor{{"zombie", zombie}, {"next run", next}, {"retry", func(steps engine.Steps) error { return l.attempt("R", 0, run, 2, steps).once() }}},
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
		return []actor{
			{"extraction", func(steps engine.Steps) error { return l.attempt("A", 0, run, 1, steps).once() }},
			{"discover", discover("standard", owner(1, 1))},
			{"discover of bulk", discover("bulk", inBulk(owner(1, 7)))},
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
			{"extraction", func(steps engine.Steps) error { return l.attempt("A", 0, run, 1, steps).once() }},
			{"consolidation", func(steps engine.Steps) error { return l.consolidate(l.engine("C", 1, steps)) }},
			{"discover", func(steps engine.Steps) error { return l.discover("next", steps).all(pin+4*second, owner(1, 1)) }},
		}, func() error { return l.undisturbed(pin + 5*second) }
	})
}
