package main

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// The slow server, which made one cluster take 25 minutes and eleven 3.
const (
	slowTags       = 30_000
	slowThreads    = 10
	slowLatency    = 910 * time.Millisecond // of a call
	slowTagLatency = 50 * time.Millisecond  // and of each of its tags
	longestURL     = 16 << 10               // bytes
	aimedRatio     = 1.1
)

// slowServer measures how close the extraction comes to what the server itself
// needs for the tags, on its threads and by as few calls as its URLs allow.
func (b *bench) slowServer() error {
	latency, tagLatency, scale, short := slowLatency, slowTagLatency, "", ""
	if b.quick {
		latency, tagLatency, scale, short = latency/10, tagLatency/10, " (-quick: a tenth)", " (quick)"
	}
	b.title(
		"3. A slow server: %s tags x 1 h, %s a call + %s a tag, %d threads%s",
		thousands(slowTags),
		latency,
		tagLatency,
		slowThreads,
		scale,
	)
	archive := []string{"--tags", fmt.Sprint(slowTags)}
	p, err := b.newPlant("server", slowThreads, 3000, archive...)
	if err != nil {
		return err
	}
	if err := p.slower(
		append(
			archive,
			"--latency",
			latency.String(),
			"--tag-latency",
			tagLatency.String(),
			"--threads",
			fmt.Sprint(slowThreads),
		)...); err != nil {
		return err
	}
	u, err := p.run()
	c, stopErr := p.stop()
	if err := errors.Join(err, stopErr); err != nil {
		return err
	}
	took, err := extraction(u.stderr)
	if err != nil {
		return err
	}
	events, err := eventsOf(u.stdout)
	if err != nil {
		return err
	}
	fewest, err := p.fewestCalls()
	if err != nil {
		return err
	}
	bound := (slowTags*tagLatency + time.Duration(fewest)*latency) / slowThreads
	ratio := took.Seconds() / bound.Seconds()
	b.printf(
		"the server's bound, by %d calls: %.1f s; the extraction: %.1f s, by %d calls: %.3f x\n",
		fewest,
		bound.Seconds(),
		took.Seconds(),
		c.ByEndpoint["streamset-recorded"],
		ratio,
	)
	b.printf(
		"%s events; the job as a whole %.1f s, %s requests, %.1f s of CPU, %s\n",
		thousands(events),
		u.wall.Seconds(),
		thousands(c.Requests),
		u.cpu.Seconds(),
		mib(u.rss),
	)
	b.sum(
		"slow server, 30,000 tags x 1 h"+short,
		fmt.Sprintf("<= %.1f x", aimedRatio),
		fmt.Sprintf("%.1f s", took.Seconds()),
		fmt.Sprintf("%.3f x its bound of %.1f s", ratio, bound.Seconds()),
	)
	return nil
}

// extraction returns the time from the first extraction's start to the last one's
// end, as the run prints them.
func extraction(stderr string) (time.Duration, error) {
	first, last := math.Inf(1), math.Inf(-1)
	for _, m := range extractionLine.FindAllStringSubmatch(stderr, -1) {
		at, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, err
		}
		if m[2] == "started" {
			first = min(first, at)
		} else {
			last = max(last, at)
		}
	}
	if last < first {
		return 0, fmt.Errorf("the run shows no extraction that began and ended:\n%s", stderr)
	}
	return time.Duration((last - first) * float64(time.Second)), nil
}

var extractionLine = regexp.MustCompile(`(?m)^ *([0-9.]+)s  extract_\S+ (started|ok|partial)`)

// fewestCalls is the number of URLs that all WebIDs fit into, if nothing else
// were in a URL but its path.
func (p *plant) fewestCalls() (int, error) {
	f, err := os.Open(filepath.Join(p.dir, "inventory.csv"))
	if err != nil {
		return 0, err
	}
	tags, err := inventory.Read(f, "inventory.csv", inventory.Options{})
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	base, err := url.Parse(p.url)
	if err != nil {
		return 0, err
	}
	room := longestURL - len(strings.TrimSuffix(base.Path, "/")+"/streamsets/recorded?")
	total := 0
	for i := range tags {
		total += len("&webId=" + url.QueryEscape(tags[i].WebID))
	}
	return (total + room - 1) / room, nil
}
