package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/localspark"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// What is landed on Spark: an event a second of each tag.
const (
	sparkExecutors = 2
	sparkTags      = 2000
	sparkShardTags = 1000 // tags of a shard, the most there may be
	stagedEvents   = 1000 // of each tag, without PI
	extractEvents  = 300  // of each tag, by the first extraction
	moreEvents     = 4    // times as many by the second
	rounds         = 3
)

// The aims on Spark.
const (
	leastStaging   = 0.6 // of the rate of Spark itself
	aimedStaging   = 0.8
	leastClients   = 100 // times the rate of a client in Python
	mostStatements = 6   // of an extraction with nothing new
	aimedFixed     = 5 * time.Second
	mostOfOne      = 0.6 // of one executor's time, for two
	mostShard      = 256 // MiB
)

// sparkBench is what the measurements on Spark share: a plant, and a session
// that stays warm.
type sparkBench struct {
	*plant
	session *session
	streams []shard.Stream
	rounds  int
}

// spark measures the same landing on Spark and Delta, by the emitted wheel.
func (b *bench) spark() (err error) {
	archive := []string{"--tags", fmt.Sprint(sparkTags), "--uniform", "1s"}
	p, err := b.newPlant("spark", 4, sparkTags, archive...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stopQuietly()) }()
	s, err := p.sparkBench()
	if err != nil {
		return err
	}
	defer s.session.close()
	b.title("5. Spark %s, %d executors of one processor, one warm session", localspark.SparkVersion, sparkExecutors)
	if err := s.staging(); err != nil {
		return fmt.Errorf("staging: %w", err)
	}
	if err := s.tasks(); err != nil {
		return fmt.Errorf("tasks: %w", err)
	}
	if err := p.slower(append(archive, "--latency", lanesLatency.String())...); err != nil {
		return err
	}
	if err := s.executors(); err != nil {
		return fmt.Errorf("executors: %w", err)
	}
	return nil
}

// sparkBench starts a session on the plant's wheel.
func (p *plant) sparkBench() (*sparkBench, error) {
	s := &sparkBench{plant: p, rounds: rounds}
	if p.b.quick {
		s.rounds = 1
	}
	streams, labels, err := p.streams()
	if err != nil {
		return nil, err
	}
	for i, t := range streams {
		s.streams = append(s.streams, shard.Stream{WebID: t.WebID, Name: t.Name, Units: labels.Units[i], Numeric: t.Numeric, EventsPerHour: t.EventsPerHour, After: t.After, Until: t.Until})
	}
	wheels, err := filepath.Glob(filepath.Join(p.bundle(), "dist", "*.whl"))
	if err != nil || len(wheels) != 1 {
		return nil, fmt.Errorf("the bundle has %d wheels: %w", len(wheels), err)
	}
	if s.session, err = p.b.newSession(p.dir, wheels[0], sparkExecutors); err != nil {
		return nil, err
	}
	s.session.roots[p.server.Process.Pid] = piServer
	return s, nil
}

func (p *plant) bundle() string { return filepath.Join(p.dir, "bundles", "bench") }

// specs are shards that read so much of each of the streams, with their share of
// the site's budget in so many lanes.
func (s *sparkBench) specs(streams []shard.Stream, most int, length instant.Ticks, limits manifest.Limits, lanes int) (specs []shard.Spec, lines []string, err error) {
	shares := shard.Share(limits, lanes)
	for i, part := range shard.Split(streams, most) {
		spec := shard.Spec{Shard: i, Site: manifest.Site{Name: "plant-a", URL: s.url, Auth: manifest.Auth{Kind: "anonymous"}, Limits: shares[i%lanes], Retry: manifest.Retry{Attempts: 2, TimeoutSeconds: 60}}}
		for _, at := range part {
			t := streams[at]
			t.After = t.Until - length
			spec.Streams = append(spec.Streams, t)
		}
		line, err := spec.Encode()
		if err != nil {
			return nil, nil, err
		}
		specs, lines = append(specs, spec), append(lines, strings.TrimSpace(string(line)))
	}
	return specs, lines, nil
}

// selected are the columns of a staged file.
func selected() []string {
	return stage.ArrowSelect(stage.Labels{Site: "plant-a", Pipeline: "bench", BatchID: "6e3dbd4e-93ab-4a4b-a34d-7d3f8ba1dd9c", Ingested: instant.Hour})
}

// stage has the session stage something into a folder, and holds what is there
// against what the shards say.
func (s *sparkBench) stage(do string, arguments fields, specs []shard.Spec) (e effort, events int64, err error) {
	path := filepath.Join(s.dir, "staged")
	arguments["select"], arguments["path"] = selected(), path
	if e, err = s.session.measure(do, arguments, nil); err != nil {
		return e, 0, err
	}
	var staged struct {
		Closings []string
		Rows     int64
	}
	if err := s.session.ask("staged", fields{"path": path}, &staged); err != nil {
		return e, 0, err
	}
	closings, err := shard.Complete(specs, staged.Closings, staged.Rows)
	for _, c := range closings {
		if c.Failure != "" {
			err = errors.Join(err, errors.New(c.Failure))
		}
	}
	return e, staged.Rows, errors.Join(err, os.RemoveAll(path))
}

// staging compares what leaves Go for staged Parquet through Spark with what
// Spark writes of the same rows from its own memory.
func (s *sparkBench) staging() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	length := stagedEvents * instant.Second
	if s.b.quick {
		length /= 4
	}
	specs, lines, err := s.specs(s.streams, sparkShardTags, length, manifest.Limits{Connections: 2}, sparkExecutors)
	if err != nil {
		return err
	}
	run := fields{"specs": lines, "lanes": sparkExecutors, "schema": stage.ArrowSchema(), "program": program}
	var held struct{ Rows, Bytes int64 }
	if err := s.session.ask("hold", run, &held); err != nil {
		return err
	}
	var events int64
	var ours, theirs []effort
	for round := range s.rounds + 1 { // the first warms up
		e, n, err := s.stage("stage", run, specs)
		if err != nil {
			return err
		}
		m, same, err := s.stage("stage_held", fields{}, specs)
		if err != nil {
			return err
		}
		if same != n || e.cpu[goShard] == 0 || m.cpu[goShard] != 0 {
			return fmt.Errorf("%d events by shards that took %s, and %d by Spark from memory while shards took %s", n, e.cpu[goShard], same, m.cpu[goShard])
		}
		if events = n; round > 0 {
			ours, theirs = append(ours, e), append(theirs, m)
		}
	}
	if err := s.session.ask("release", nil, &struct{}{}); err != nil {
		return err
	}
	s.b.printf("%s events of %s tags, from columns in Go's memory and from Spark's own (%s in its executors), to zstd Parquet:\n", thousands(events), thousands(sparkTags), mib(held.Bytes))
	s.b.printf("the same columns, the same select, one after the other, the median of %d\n\n", s.rounds)
	s.b.effortHead()
	our, their := median(ours), median(theirs)
	s.b.printEffort("Go -> Arrow -> Spark", our, events)
	s.b.printEffort("Spark from memory", their, events)
	ratio := their.wall.Seconds() / our.wall.Seconds()
	s.b.printf("rate: %.2f x that of Spark from memory; processor time: %.2f x\n", ratio, our.total().Seconds()/their.total().Seconds())
	s.b.sum("Go -> Arrow -> Spark -> staged Parquet", fmt.Sprintf(">= %.1f x", leastStaging), perSecond(events, our.wall), fmt.Sprintf("%.2f x Spark from memory (aim %.1f)", ratio, aimedStaging))
	return nil
}

// median gives the effort in the middle by time.
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
	{"Go driver", []role{goDriver, launcher}},
}

func (b *bench) effortHead() {
	b.printf("%-24s %7s %11s  %7s", "", "wall", "events", "CPU s =")
	for _, c := range effortColumns {
		b.printf(" %10s", c.head)
	}
	b.printf(" %12s\n", string(piServer))
}

// printEffort prints a row: who used the processors, and beside it the simulator.
func (b *bench) printEffort(name string, e effort, events int64) {
	b.printf("%-24s %6.2fs %11s  %5.2f =", name, e.wall.Seconds(), perSecond(events, e.wall), e.total().Seconds())
	for _, c := range effortColumns {
		var d time.Duration
		for _, r := range c.roles {
			d += e.cpu[r]
		}
		b.printf(" %10.2f", d.Seconds())
	}
	b.printf(" %12.2f\n", e.cpu[piServer].Seconds())
}

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

// run runs a task of a run of the job in the session.
func (s *sparkBench) run(name, runID string, until instant.Ticks) (x extracted, err error) {
	result := filepath.Join(s.dir, "result.json")
	p := manifest.Parameters{Task: name, Pipeline: "bench", Catalog: "spark_catalog", Bundle: s.bundle(), Tier: "standard", RunID: runID, Until: until.String(), TimeoutSecs: 3600, Attempt: 1,
		Site: "plant-a", Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 4, ItemsPerCall: 150_000}, MaxWindow: 7200, TagsPerShard: sparkShardTags, Shards: manifest.ShardsOnExecutors,
		Backfill: extractEvents, Layout: "liquid"}
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
		s.b.printf("  %d statements; staging %.2f s (%s), appends to Delta %.2f s, SQL %.2f s\n", len(x.requests), x.took("shards").Seconds(), perSecond(x.Events, x.took("shards")), x.took("append").Seconds(), x.took("sql").Seconds())
	}
	s.fixedCost(idle)
	s.memory(some, many)
	return s.clients(many)
}

// fixedCost tells what a task takes that has nothing to do.
func (s *sparkBench) fixedCost(idle []extracted) {
	slices.SortFunc(idle, func(a, b extracted) int { return cmp.Compare(a.wall, b.wall) })
	x := idle[len(idle)/2]
	s.b.printEffort("nothing new", x.effort, 0)
	s.b.printf("  %d statements\n", len(x.requests))
	s.b.sum("extract on Spark with nothing new", fmt.Sprintf("<= %d, %.0f s", mostStatements, aimedFixed.Seconds()), fmt.Sprintf("%d statements", len(x.requests)), fmt.Sprintf("%.1f s", x.wall.Seconds()))
}

// memory tells whether memory grows with events.
func (s *sparkBench) memory(some, many extracted) {
	s.b.printf("\n%-26s %10s %12s %12s %12s\n", "most memory of a process", "Go driver", "driver JVM", "its heap", "Go shard")
	for _, x := range []extracted{some, many} {
		s.b.printf("%-26s %10s %12s %12s %12s\n", fmt.Sprintf("%s events", thousands(x.Events)), mib(x.peaks[goDriver]), mib(x.peaks[driverJVM]), mib(x.heap), mib(x.peaks[goShard]))
	}
	s.b.printf("(its heap: what the JVM holds after the task, without garbage)\n")
	times := fmt.Sprintf("%.1f x the events", float64(many.Events)/float64(some.Events))
	growth := func(before, after int64) string {
		return fmt.Sprintf("%.2f x, for %s", float64(after)/float64(before), times)
	}
	s.b.sum("  memory of the Go driver", "no growth", mib(many.peaks[goDriver]), growth(some.peaks[goDriver], many.peaks[goDriver]))
	s.b.sum("  memory of the driver's JVM", "no growth", mib(many.peaks[driverJVM]), growth(some.peaks[driverJVM], many.peaks[driverJVM]))
	s.b.sum("  memory of a shard", fmt.Sprintf("< %d MiB", mostShard), mib(many.peaks[goShard]), growth(some.peaks[goShard], many.peaks[goShard]))
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
	err := s.session.ask("client", fields{"url": s.url, "web_ids": ids, "start": (until - extractEvents*instant.Second).String(), "end": until.String(), "inserted": insertions}, &c)
	if err != nil {
		return err
	}
	ours := float64(x.Events) / x.wall.Seconds()
	rowByRow, atOnce := 1/(c.Read+c.Insert), 1/(c.Read+c.Append)
	s.b.printf("\na client in Python (http.client, json, a dict a row, a list) reads %s events in all, %s/s;\n", thousands(c.Rows), thousands(int64(1/c.Read)))
	s.b.printf("  with an INSERT for each row, of which %d are timed: %.2f rows/s; the task extract: %s x\n", insertions, rowByRow, thousands(int64(ours/rowByRow)))
	s.b.printf("  with one createDataFrame and append for all: %s rows/s; the task extract: %.1f x\n", thousands(int64(atOnce)), ours/atOnce)
	s.b.sum("PI -> Go -> Spark -> Delta, the whole task", fmt.Sprintf(">= %d x", leastClients), perSecond(x.Events, x.wall), fmt.Sprintf("%s x a Python client, row by row", thousands(int64(ours/rowByRow))))
	s.b.sum("  against the client with one append", "", fmt.Sprintf("%s rows/s", thousands(int64(atOnce))), fmt.Sprintf("%.1f x", ours/atOnce))
	return nil
}

// Where PI's latency is the limit.
const (
	lanesLatency = 500 * time.Millisecond
	lanesTags    = 120
	lanesItems   = 1200 // a call
)

// executors compares one executor with two, for a PI that is slow to answer:
// the same shards in one lane, which occupies one executor, and in two.
func (s *sparkBench) executors() error {
	limits := manifest.Limits{RequestsPerSecond: 1000, Connections: 4, ItemsPerCall: lanesItems}
	specs, lines, err := s.specs(s.streams[:lanesTags], lanesTags/sparkExecutors, extractEvents*instant.Second, limits, sparkExecutors)
	if err != nil {
		return err
	}
	var one, two []effort
	var events int64
	for range s.rounds {
		for _, in := range []struct {
			lanes   int
			efforts *[]effort
		}{{1, &one}, {sparkExecutors, &two}} {
			e, n, err := s.stage("stage", fields{"specs": lines, "lanes": in.lanes, "schema": stage.ArrowSchema(), "program": ""}, specs)
			if err != nil {
				return err
			}
			events, *in.efforts = n, append(*in.efforts, e)
		}
	}
	busyOne, busyTwo := median(one), median(two)
	ratio := busyTwo.wall.Seconds() / busyOne.wall.Seconds()
	s.b.printf("\nPI takes %s a call: %s events by the same %d shards of 2 connections each\n\n", lanesLatency, thousands(events), len(specs))
	s.b.effortHead()
	s.b.printEffort("on one executor", busyOne, events)
	s.b.printEffort("on two", busyTwo, events)
	s.b.printf("two executors take %.2f x the time of one\n", ratio)
	s.b.sum("two executors, PI's latency the limit", fmt.Sprintf("<= %.1f x", mostOfOne), fmt.Sprintf("%.1f s", busyTwo.wall.Seconds()), fmt.Sprintf("%.2f x one's %.1f s", ratio, busyOne.wall.Seconds()))
	return nil
}
