package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// extracted is a task that was run in the session.
type extracted struct {
	effort
	task.Result
	requests []request
	peaks    map[role]int64 // bytes
	heap     int64          // of the driver's JVM after it, without garbage
}

// request is one of the pipe's, and what it took.
type request struct {
	verb    string
	seconds float64
}

// UnmarshalJSON reads [verb, seconds].
func (r *request) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.verb, &r.seconds})
}

// took is what all requests of a verb took.
func (x *extracted) took(verb string) (d time.Duration) {
	for _, r := range x.requests {
		if r.verb == verb {
			d += time.Duration(r.seconds * float64(time.Second))
		}
	}
	return d
}

// statements counts what the task asked Spark for.
func (x *extracted) statements() string {
	return fmt.Sprintf(
		"%d statements: SQL %.2f s, appends to Delta %.2f s",
		len(x.requests),
		x.took("sql").Seconds(),
		x.took("append").Seconds(),
	)
}

// run runs a task of a run of the job in the session.
func (s *sparkBench) run(name, runID string, until instant.Ticks) (x extracted, err error) {
	result := filepath.Join(s.dir, "result.json")
	p := manifest.Parameters{
		Task:         name,
		Pipeline:     "bench",
		Catalog:      "spark_catalog",
		Bundle:       s.bundle(),
		Tier:         "standard",
		RunID:        runID,
		Until:        until.String(),
		TimeoutSecs:  3600,
		Attempt:      1,
		Site:         "plant-a",
		Limits:       manifest.Limits{RequestsPerSecond: 1000, Connections: 4, ItemsPerCall: 150_000},
		MaxWindow:    7200,
		TagsPerShard: sparkShardTags,
		Shards:       manifest.ShardsOnExecutors,
		Backfill:     extractEvents,
		Layout:       "liquid",
	} // an event a second
	environment := map[string]string{"PI_EXTRACTOR_STAGING": filepath.Join(s.dir, "staging"), "PI_EXTRACTOR_RESULT": result}
	var answer struct{ Requests []request }
	stop := peaks(s.session.roots)
	x.effort, err = s.session.measure("run", fields{"task": name, "arguments": p.Args(nil), "environment": environment}, &answer)
	x.peaks, x.requests = stop(), answer.Requests
	if err != nil {
		return x, fmt.Errorf("%s: %w", name, err)
	}
	data, err := os.ReadFile(result)
	if err == nil {
		err = json.Unmarshal(data, &x.Result)
	}
	if err != nil {
		return x, err
	}
	var heap struct{ Bytes int64 }
	err = s.session.ask("heap", nil, &heap)
	x.heap = heap.Bytes
	return x, err
}

// extraction discovers and extracts up to an instant.
func (s *sparkBench) extraction(runID string, until instant.Ticks, events int64) (extracted, error) {
	if _, err := s.run(manifest.TaskDiscover, runID, until); err != nil {
		return extracted{}, err
	}
	x, err := s.run(manifest.TaskExtract, runID, until)
	if err == nil && x.Events < events*9/10 {
		err = fmt.Errorf("%d events were landed, and PI has about %d", x.Events, events)
	}
	return x, err
}

// tasks runs the emitted wheel's extraction: with some events, with none, with
// four times as many, and the same by a client in Python.
func (s *sparkBench) tasks() error {
	until := s.streams[0].Until
	first := until - extractEvents*moreEvents*instant.Second
	some, err := s.extraction("run-1", first, sparkTags*extractEvents)
	if err != nil {
		return err
	}
	var idle []extracted
	for range s.rounds {
		x, err := s.run(manifest.TaskExtract, "run-1", first)
		if err == nil && x.Events != 0 {
			err = fmt.Errorf("%d new events where there are none", x.Events)
		}
		if err != nil {
			return err
		}
		idle = append(idle, x)
	}
	many, err := s.extraction("run-2", until, sparkTags*extractEvents*moreEvents)
	if err != nil {
		return err
	}
	s.b.printf("\nthe task extract of the emitted wheel, PI on loopback; its first also meets all that is new to the session\n\n")
	s.b.effortHead()
	for _, x := range []extracted{some, many} {
		s.b.printEffort(fmt.Sprintf("%s events", thousands(x.Events)), x.effort, x.Events)
		s.b.printf("  %s; staging %.2f s (%s)\n", x.statements(), x.took("shards").Seconds(), perSecond(x.Events, x.took("shards")))
	}
	s.fixedCost(idle)
	s.memory(some, many)
	return s.clients(many)
}

// fixedCost is what a task takes that has nothing to do.
func (s *sparkBench) fixedCost(idle []extracted) {
	slices.SortFunc(idle, func(a, b extracted) int { return cmp.Compare(a.wall, b.wall) })
	x := idle[len(idle)/2]
	s.b.printEffort("nothing new", x.effort, 0)
	s.b.printf("  %s\n", x.statements())
	s.b.sum(
		"extract on Spark with nothing new",
		fmt.Sprintf("<= %d, %.0f s", maxStatements, aimedFixed.Seconds()),
		fmt.Sprintf("%d statements", len(x.requests)),
		fmt.Sprintf("%.1f s", x.wall.Seconds()),
	)
}

// memory reports whether memory grows with events.
func (s *sparkBench) memory(some, many extracted) {
	s.b.printf("\n%-26s %10s %12s %12s %12s\n", "most memory of a process", "Go driver", "driver JVM", "its heap", "Go shard")
	for _, x := range []extracted{some, many} {
		s.b.printf(
			"%-26s %10s %12s %12s %12s\n",
			fmt.Sprintf("%s events", thousands(x.Events)),
			mib(x.peaks[goDriver]),
			mib(x.peaks[driverJVM]),
			mib(x.heap),
			mib(x.peaks[goShard]),
		)
	}
	s.b.printf("(its heap: what the JVM holds after the task, without garbage)\n")
	times := fmt.Sprintf("%.1f x the events", float64(many.Events)/float64(some.Events))
	growth := func(before, after int64) string {
		return fmt.Sprintf("%.2f x, for %s", float64(after)/float64(before), times)
	}
	s.b.sum("  memory of the Go driver", "no growth", mib(many.peaks[goDriver]), growth(some.peaks[goDriver], many.peaks[goDriver]))
	s.b.sum("  memory of the driver's JVM", "no growth", mib(many.peaks[driverJVM]), growth(some.peaks[driverJVM], many.peaks[driverJVM]))
	s.b.sum(
		"  memory of a shard",
		fmt.Sprintf("< %d MiB", mostShard),
		mib(many.peaks[goShard]),
		growth(some.peaks[goShard], many.peaks[goShard]),
	)
}

// What the clients in Python read and insert.
const (
	clientTags = 40
	insertions = 10
)

// clients measures clients in Python, in the same session, against an extraction.
func (s *sparkBench) clients(x extracted) error {
	ids := make([]string, clientTags)
	for i := range ids {
		ids[i] = s.streams[i].WebID
	}
	until := s.streams[0].Until
	// Seconds an event.
	var c struct {
		Rows                 int64
		Read, Insert, Append float64
	}
	err := s.session.ask(
		"client",
		fields{
			"url":      s.url,
			"web_ids":  ids,
			"start":    (until - extractEvents*instant.Second).String(),
			"end":      until.String(),
			"inserted": insertions,
		},
		&c,
	)
	if err != nil {
		return err
	}
	ours := float64(x.Events) / x.wall.Seconds()
	rowByRow, atOnce := 1/(c.Read+c.Insert), 1/(c.Read+c.Append)
	s.b.printf(
		"\na client in Python (http.client, json, a dict a row, a list) reads %s events in all, %s/s;\n",
		thousands(c.Rows),
		thousands(int64(1/c.Read)),
	)
	s.b.printf(
		"  with an INSERT for each row, of which %d are timed: %.2f rows/s; the task extract: %s x\n",
		insertions,
		rowByRow,
		thousands(int64(ours/rowByRow)),
	)
	s.b.printf("  with one createDataFrame and append for all: %s rows/s; the task extract: %.1f x\n", thousands(int64(atOnce)), ours/atOnce)
	s.b.sum(
		"PI -> Go -> Spark -> Delta, the whole task",
		fmt.Sprintf(">= %d x", leastClients),
		perSecond(x.Events, x.wall),
		fmt.Sprintf("%s x a Python client, row by row", thousands(int64(ours/rowByRow))),
	)
	s.b.sum("  against the client with one append", "", fmt.Sprintf("%s rows/s", thousands(int64(atOnce))), fmt.Sprintf("%.1f x", ours/atOnce))
	return nil
}
