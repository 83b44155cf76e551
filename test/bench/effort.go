package main

import (
	"cmp"
	"slices"
	"time"
)

// effort is what something took in a session.
type effort struct {
	wall time.Duration
	cpu  map[role]time.Duration
}

// total is the processor time of all but PI.
func (e *effort) total() (all time.Duration) {
	for r, d := range e.cpu {
		if r != piServer {
			all += d
		}
	}
	return all
}

// median returns the effort in the middle by time.
func median(efforts []effort) effort {
	sorted := slices.SortedFunc(slices.Values(efforts), func(a, b effort) int { return cmp.Compare(a.wall, b.wall) })
	return sorted[len(sorted)/2]
}

func perSecond(events int64, d time.Duration) string {
	return thousands(int64(float64(events)/d.Seconds())) + "/s"
}

// effortColumns are what the processor time of an effort is printed by.
var effortColumns = []struct {
	head  string
	roles []role
}{
	{"driver JVM", []role{driverJVM}},
	{"executors", []role{executor}},
	{"Python", []role{worker}},
	{"shards", []role{goShard}},
	{"launcher, Go", []role{launcher, goDriver}},
}

func (b *bench) effortHead() {
	b.printf("%-24s %7s %11s  %7s", "", "wall", "events", "CPU s =")
	for _, c := range effortColumns {
		b.printf(" %12s", c.head)
	}
	b.printf("  %12s\n", string(piServer))
}

// printEffort prints a row: who used the processors, and beside it the simulator.
func (b *bench) printEffort(name string, e effort, events int64) {
	b.printf("%-24s %6.2fs %11s  %5.2f =", name, e.wall.Seconds(), perSecond(events, e.wall), e.total().Seconds())
	for _, c := range effortColumns {
		var d time.Duration
		for _, r := range c.roles {
			d += e.cpu[r]
		}
		b.printf(" %12.2f", d.Seconds())
	}
	b.printf("  %12.2f\n", e.cpu[piServer].Seconds())
}
