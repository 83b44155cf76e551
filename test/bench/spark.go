package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
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
	leastStaging  = 0.6 // of the rate of Spark itself
	aimedStaging  = 0.8
	leastClients  = 100 // times the rate of a client in Python
	maxStatements = 6   // of an extraction with nothing new
	aimedFixed    = 5 * time.Second
	mostOfOne     = 0.6 // of one executor's time, for two
	mostShard     = 256 // MiB
)

// sparkBench is what the measurements on Spark share: a plant, and a session
// that stays warm.
type sparkBench struct {
	*plant
	session *session
	streams []batch.Stream
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
	s.session.roots[p.server.Process.Pid] = piServer
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
	s.streams = streams
	for i := range s.streams {
		s.streams[i].Units = labels.Units[i]
	}
	wheels, err := filepath.Glob(filepath.Join(p.bundle(), "dist", "*.whl"))
	if err != nil {
		return nil, err
	}
	if len(wheels) != 1 {
		return nil, diag.WithHint(fmt.Errorf("%s has %d wheels instead of one", p.bundle(), len(wheels)), "make build")
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
func (s *sparkBench) specs(
	streams []batch.Stream,
	most int,
	length instant.Ticks,
	limits manifest.Limits,
	lanes int,
) (specs []shard.Spec, lines []string, err error) {
	shares := shard.Share(limits, lanes)
	for i, part := range shard.Split(streams, most) {
		spec := shard.Spec{
			Shard: i,
			Site: manifest.Site{
				Name:   "plant-a",
				URL:    s.url,
				Auth:   manifest.Auth{Kind: "anonymous"},
				Limits: shares[i%lanes],
				Retry:  manifest.Retry{Attempts: 2, TimeoutSeconds: 60},
			},
		}
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
	return stage.ArrowSelect(
		stage.Labels{Site: "plant-a", Pipeline: "bench", BatchID: "6e3dbd4e-93ab-4a4b-a34d-7d3f8ba1dd9c", Ingested: instant.Hour},
	)
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
			return fmt.Errorf(
				"%d events by shards that took %s, and %d by Spark from memory while shards took %s",
				n,
				e.cpu[goShard],
				same,
				m.cpu[goShard],
			)
		}
		if events = n; round > 0 {
			ours, theirs = append(ours, e), append(theirs, m)
		}
	}
	if err := s.session.ask("release", nil, &struct{}{}); err != nil {
		return err
	}
	s.b.printf(
		"%s events of %s tags, from columns in Go's memory and from Spark's own (%s in its executors), to zstd Parquet:\n",
		thousands(events),
		thousands(sparkTags),
		mib(held.Bytes),
	)
	s.b.printf("the same columns, the same select, one after the other, the median of %d\n\n", s.rounds)
	s.b.effortHead()
	our, their := median(ours), median(theirs)
	s.b.printEffort("Go -> Arrow -> Spark", our, events)
	s.b.printEffort("Spark from memory", their, events)
	ratio := their.wall.Seconds() / our.wall.Seconds()
	s.b.printf("rate: %.2f x that of Spark from memory; processor time: %.2f x\n", ratio, our.total().Seconds()/their.total().Seconds())
	s.b.sum(
		"Go -> Arrow -> Spark -> staged Parquet",
		fmt.Sprintf(">= %.1f x", leastStaging),
		perSecond(events, our.wall),
		fmt.Sprintf("%.2f x Spark from memory (aim %.1f)", ratio, aimedStaging),
	)
	return nil
}

// Where PI's latency is the limit.
const (
	lanesLatency = 600 * time.Millisecond
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
	s.b.sum(
		"two executors, PI's latency the limit",
		fmt.Sprintf("<= %.1f x", mostOfOne),
		fmt.Sprintf("%.1f s", busyTwo.wall.Seconds()),
		fmt.Sprintf("%.2f x one's %.1f s", ratio, busyOne.wall.Seconds()),
	)
	return nil
}
