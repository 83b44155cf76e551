package main

import (
	"fmt"
	"strings"
	"time"
)

// kinds are the points that are landed, by type.
var kinds = []struct {
	name string
	args []string
}{
	{"Float32", []string{"--point-type", "Float32"}},
	{"Float64", []string{"--point-type", "Float64"}},
	{"Int32", []string{"--point-type", "Int32"}},
	{"Digital", []string{"--point-type", "Digital"}},
	{"String", []string{"--point-type", "String"}},
	{"mixed", nil},
}

// What is landed: an event a second for an hour.
const (
	landedTags   = 1000
	landedEvents = 3600    // of each tag, about
	largeTags    = 5000    // of the largest partition that there may be
	mostMemory   = 512     // MiB
	aimedCost    = 400     // ns of CPU an event
	bestClient   = 9_500   // ns an event of the best public client
	connector    = 328_000 // and of the connector that people use
)

// landing measures what an event costs from HTTP to the table, by type of point.
func (b *bench) landing() error {
	b.title("2. HTTP to table: %s tags x %s events, on loopback", thousands(landedTags), thousands(landedEvents))
	b.printf("ns of CPU an event; the parts are measured in this process: decode and HTTP by the client with\n")
	b.printf("what it reads thrown away, Parquet by the writer, DuckDB by publishing what was written.\n\n")
	b.printf(
		"%-8s %6s = %6s %6s %7s %6s %6s  %9s %7s  %8s %8s\n",
		"",
		"all",
		"decode",
		"HTTP",
		"Parquet",
		"DuckDB",
		"rest",
		"enc/json",
		"ratio",
		"events/s",
		"memory",
	)
	for _, k := range kinds {
		if err := b.landKind(k.name, k.args); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return b.landLarge()
}

// landed is a run that landed something, and the same run with nothing new.
type landed struct {
	usage
	fixed  usage
	events int64
	each   float64 // ns of CPU an event, the fixed cost taken off
}

// land runs the job twice.
func (p *plant) land() (l landed, err error) {
	if l.usage, err = p.run(); err != nil {
		return l, err
	}
	if l.events, err = eventsOf(l.stdout); err != nil {
		return l, err
	}
	if l.fixed, err = p.run(); err != nil {
		return l, err
	}
	again, err := eventsOf(l.fixed.stdout)
	if err == nil && again != 0 {
		err = fmt.Errorf("the second run landed %d events", again)
	}
	l.each = per(l.cpu-l.fixed.cpu, l.events)
	return l, err
}

// eventsOf reads the number of events in the table that a run ends with.
func eventsOf(stdout string) (int64, error) {
	for row := range strings.Lines(stdout) {
		if f := strings.Fields(row); len(f) > 2 && f[0] == "all" {
			var n int64
			_, err := fmt.Sscan(strings.ReplaceAll(f[2], ",", ""), &n)
			return n, err
		}
	}
	return 0, fmt.Errorf("the run printed no table:\n%s", stdout)
}

func (b *bench) landKind(name string, args []string) (err error) {
	p, err := b.newPlant("land-"+name, 4, 3000, append([]string{"--tags", fmt.Sprint(landedTags), "--uniform", "1s"}, args...)...)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := p.stopQuietly(); err == nil {
			err = stopErr
		}
	}()
	l, err := p.land()
	if err != nil {
		return err
	}
	parts, err := p.measureParts()
	if err != nil {
		return err
	}
	rest := l.each - parts.read - parts.parquet - parts.duckdb
	speed := float64(l.events) / l.wall.Seconds()
	b.printf(
		"%-8s %6.0f = %6.0f %6.0f %7.0f %6.0f %6.0f  %9.0f %6.1fx  %8s %8s\n",
		name,
		l.each,
		parts.decode,
		parts.read-parts.decode,
		parts.parquet,
		parts.duckdb,
		rest,
		parts.json,
		parts.json/l.each,
		thousands(int64(speed)),
		mib(l.rss),
	)
	if name != kinds[len(kinds)-1].name {
		b.sum(
			"HTTP to table, "+name,
			"",
			fmt.Sprintf("%.0f ns/event", l.each),
			fmt.Sprintf("%.1f x cheaper than encoding/json alone", parts.json/l.each),
		)
		return nil
	}
	b.printf(
		"fixed cost of a run, with nothing new: %.2f s of CPU, %.2f s, %s\n",
		l.fixed.cpu.Seconds(),
		l.fixed.wall.Seconds(),
		mib(l.fixed.rss),
	)
	b.printf("the best public client takes %s ns an event: %.0f x; the connector that people use, %s: %.0f x\n",
		thousands(bestClient), bestClient/l.each, thousands(connector), connector/l.each)
	b.sum(
		"HTTP to table, "+name,
		fmt.Sprintf("%d ns", aimedCost),
		fmt.Sprintf("%.0f ns/event", l.each),
		fmt.Sprintf("%.1f x cheaper than encoding/json alone", parts.json/l.each),
	)
	b.sum("  of it decoding / Parquet / DuckDB", "", fmt.Sprintf("%.0f / %.0f / %.0f", parts.read, parts.parquet, parts.duckdb), "")
	return nil
}

// landLarge lands the largest partition that there may be: memory must not grow with it.
func (b *bench) landLarge() (err error) {
	p, err := b.newPlant("land-large", 4, largeTags, "--tags", fmt.Sprint(largeTags), "--uniform", "1s")
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := p.stopQuietly(); err == nil {
			err = stopErr
		}
	}()
	u, err := p.run()
	if err != nil {
		return err
	}
	n, err := eventsOf(u.stdout)
	if err != nil {
		return err
	}
	b.printf(
		"one partition of %s tags, %s events: %s, %.0f ns of CPU an event, %s events/s in %s\n",
		thousands(largeTags),
		thousands(n),
		mib(u.rss),
		per(u.cpu, n),
		thousands(int64(float64(n)/u.wall.Seconds())),
		u.wall.Round(100*time.Millisecond),
	)
	b.sum(
		"  memory, partition of "+thousands(n)+" events",
		fmt.Sprintf("< %d MiB", mostMemory),
		mib(u.rss),
		fmt.Sprintf("%.2f of it", float64(u.rss)/(mostMemory<<20)),
	)
	return nil
}
