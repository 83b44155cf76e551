package localrun

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/outcome"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func extraction(partition int, site string) *scheduled {
	return &scheduled{spec: spec{Task: bundle.Task{Key: fmt.Sprintf("extract_timeseries_partition_%d", partition), MaxRetries: 3},
		params: manifest.Parameters{Task: manifest.TaskExtract, Partition: partition, Site: site}}}
}

// TestAPipeIsToldOfWhatGoesOn: at least a line every ten seconds, with how much of
// the time is read and what is waited for; a site's trouble once a state.
func TestAPipeIsToldOfWhatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := newDisplay(&out, false, nil)
		defer d.close()
		discover := &scheduled{spec: spec{Task: bundle.Task{Key: "discover_tags"},
			params: manifest.Parameters{Task: manifest.TaskDiscover}}}
		a, b := extraction(0, "plant-a"), extraction(1, "plant-a")
		d.begin([]*scheduled{discover, a, b})
		said := func() string {
			synctest.Wait()
			d.mu.Lock()
			defer d.mu.Unlock()
			defer out.Reset()
			return out.String()
		}
		d.started(discover)
		d.progress(discover, task.Progress{Step: "listing the points of plant-a: 10000 so far"})
		time.Sleep(10*time.Second + time.Millisecond)
		require.Equal(t, "    0.0s  discover_tags started\n   10.0s  discover_tags: listing the points of plant-a: 10000 so far\n", said())
		d.end(discover, Succeeded)

		d.started(a)
		d.started(b)
		d.progress(a, task.Progress{Step: "reading", Tags: 10, Whole: 36_000, Left: 36_000})
		d.progress(b, task.Progress{Step: "reading", Tags: 10, Whole: 36_000, Left: 18_000, Events: 1234})
		said()
		time.Sleep(11 * time.Second)
		require.Equal(t, "   20.0s  25% read, 1,234 events; 2 partitions reading\n", said())

		down := piwebapi.Retry{Site: "plant-a", State: "503", Attempt: 2, Of: 4, Wait: 8 * time.Second}
		for range 5 {
			d.retry(down)
		}
		require.Equal(t, "   21.0s  plant-a: 503, attempt 2 of 4, next in 8 s\n", said())
		time.Sleep(12 * time.Second)
		down.Wait = 20 * time.Second
		d.retry(down)
		time.Sleep(10 * time.Second)
		require.Equal(t, "   31.0s  25% read, 1,234 events; waiting for plant-a (503)\n"+
			"   41.0s  25% read, 1,234 events; waiting for plant-a (503), next in 12 s\n", said())
		d.retry(piwebapi.Retry{Site: "plant-a"})
		require.Contains(t, said(), "  plant-a: works again\n")

		d.retrying(a, "task failed: none of 10 tags could be read\nfor instance", 2, 5*time.Second)
		d.retrying(b, "task failed: none of 10 tags could be read\nfor instance", 2, 0)
		require.Equal(t, "   43.0s  extract_timeseries_partition_0 failed, attempt 2 of 4 in 5.0 s\n"+
			"          none of 10 tags could be read\n"+
			"   43.0s  extract_timeseries_partition_1 failed, attempt 2 of 4\n", said())

		t.Log("a loop says how current it is")
		now := instant.FromTime(time.Now())
		d.progress(a, task.Progress{Step: "waiting", Through: now - 20*instant.Second, Next: time.Now().Add(14 * time.Second), Events: 7})
		d.progress(b, task.Progress{Step: "waiting", Through: now - 21*instant.Second, Next: time.Now().Add(14 * time.Second)})
		time.Sleep(10 * time.Second)
		require.Regexp(t, `^   53\.0s  landed up to \d\d:\d\d:\d\dZ, 31 s behind, next in 4 s, 7 events\n$`, said())
	})
}

// TestNothingWraps: no line of a run is wider than a terminal, whatever it shows.
func TestNothingWraps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(10, 200).Draw(t, "columns")
		d := &display{terminal: true, size: func() (int, int) { return columns, rapid.IntRange(1, 60).Draw(t, "lines") },
			shown: map[*scheduled]*shown{}, w: new(bytes.Buffer)}
		for i := range rapid.IntRange(1, 40).Draw(t, "tasks") {
			x := extraction(rapid.IntRange(0, 99_999).Draw(t, "partition"), rapid.StringMatching(`[a-z界é\x1b]{1,40}`).Draw(t, "site"))
			if i == 0 {
				x.spec.params.Task = manifest.TaskDiscover
			}
			p := task.Progress{Step: rapid.SampledFrom([]string{"", "reading",
				"listing the points of a site with a long name: 12345678 so far"}).Draw(t, "step"),
				Whole: rapid.Float64Range(0, 1e15).Draw(t, "whole"), Tags: 1, Events: rapid.Int64Range(0, 1e15).Draw(t, "events")}
			p.Left = rapid.Float64Range(0, 2).Draw(t, "left") * p.Whole
			if rapid.Bool().Draw(t, "loop") {
				p.Through = instant.Ticks(rapid.Int64Range(1, 2e16).Draw(t, "through"))
			}
			d.tasks = append(d.tasks, x)
			d.shown[x] = &shown{state: rapid.SampledFrom([]State{Waiting, Running, Succeeded, Failed}).Draw(t, "state"), progress: p,
				whole: p.Whole}
			trouble := rapid.SampledFrom([]string{"503", "", "server error"}).Draw(t, "trouble")
			d.retry(piwebapi.Retry{Site: x.spec.params.Site, State: trouble})
		}
		for _, line := range append(d.area(time.Now()), strings.Split(d.w.(*bytes.Buffer).String(), "\n")...) {
			if n := runewidth.StringWidth(line); n > min(widest, columns-1) || strings.Contains(line, "\x1b") {
				t.Fatalf("%d columns of %d: %q", n, columns, line)
			}
		}
	})
}

// TestBarsTellTheTruth: a bar goes by time that is read, and never runs ahead.
func TestBarsTellTheTruth(t *testing.T) {
	d := &display{terminal: true, size: func() (int, int) { return 80, 24 }, shown: map[*scheduled]*shown{}, w: new(bytes.Buffer)}
	a, b := extraction(0, "plant-a"), extraction(1, "plant-a")
	d.begin([]*scheduled{a, b})
	d.started(a)
	percents := func() (out []string) {
		for _, line := range d.area(time.Now()) {
			out = append(out, regexp.MustCompile(`\d+%`).FindAllString(line, -1)...)
		}
		return out
	}
	require.Equal(t, []string{"0%", "0%", "0%"}, percents())
	d.progress(a, task.Progress{Step: "reading", Tags: 2, Whole: 1000, Left: 250, Events: 10})
	require.Equal(t, []string{"75%", "0%", "37%"}, percents(), "what another has to read is not known yet")
	d.retrying(a, errors.New("down").Error(), 2, 0)
	require.Equal(t, []string{"75%", "0%", "37%"}, percents())
	d.progress(a, task.Progress{Step: "reading", Tags: 2, Whole: 500, Left: 500})
	require.Equal(t, []string{"50%", "0%", "25%"}, percents(), "what was read and not landed is read again")
	d.progress(a, task.Progress{Step: "reading", Tags: 2, Whole: 500, Left: 1})
	require.Equal(t, []string{"99%", "0%", "49%"}, percents())
	d.end(a, Cancelled)
	require.Equal(t, []string{"99%", "0%", "49%"}, percents(), "an end is not a success")
}

// TestSummary checks that a run tells what it did, in lines that do not wrap but for an error's own words.
func TestSummary(t *testing.T) {
	now, err := instant.Parse("2026-01-31T12:00:00Z")
	require.NoError(t, err)
	a, b, v := extraction(0, "plant-a"), extraction(1, "a site of a very long name that no table has room for"),
		&scheduled{spec: spec{Task: bundle.Task{Key: "validate"}, params: manifest.Parameters{Task: manifest.TaskValidate}}}
	a.attempts, a.seconds = 1, 12.3
	a.take(task.Result{Tags: 18, Failed: 2, Events: 1_234_567, Read: 1_234_567, Requests: 40, Retries: 30, From: now - instant.Hour - 1,
		Until: now, TagErrors: []task.TagError{{Tag: "SINUSOID",
			Error: "site \"plant-a\": forbidden (403) at /piwebapi/streams/x: no read access to this point, and none to its security " +
				"either\nhint: x"}}})
	b.attempts, b.seconds = 3, 200
	b.take(task.Result{Events: 5, Read: 9})
	b.take(task.Result{Events: 6, Read: 7})
	require.EqualValues(t, 11, b.result.Events)
	require.EqualValues(t, 12, b.result.Read, "what an attempt before read and did not land is read again")
	v.take(task.Result{Completeness: &task.Completeness{Tags: 20, Expected: 1000, Share: 0.999}})
	why := func(err error) string { return err.Error() }
	sum := Summary{}
	sum.add(summarize("job", "standard", "r", outcome.Partial, []*scheduled{a, b, v}, []State{Partial, Failed, Failed}, why,
		200*time.Second).Totals)
	sum.finish(200 * time.Second)
	var out bytes.Buffer
	sum.Text(&out)
	require.Equal(t, `
  time range    2026-01-31 11:00:00 to 12:00:00 UTC
  landed        1,234,578 events of 20 tags in 3 min 20 s, 6,173 events/s
  PI server     40 requests, 30 of them sent again
  tasks         2 failed, 1 took more than one attempt
  completeness  99.9% of 1,000 events of 20 tags, as PI counts them
  failed        2 tags, see monitoring.tag_errors
    "SINUSOID": site "plant-a": forbidden (403) at /piwebapi/streams/x: no
      read access to this point, and none to its security either
`, out.String())

	out.Reset()
	writeTable(&out, summarize("job", "standard", "r", outcome.Partial, []*scheduled{a, b, v}, []State{Partial, Failed, Failed}, why,
		time.Second))
	require.Equal(t, `partition  site            tags     events  events/s  retries  seconds  status
     0000  plant-a           20  1,234,567   100,371       30     12.3  partial
     0001  a site of a v…     0         11         0        0    200.0  failed
      all                    20  1,234,578                 30
`, out.String())
	for _, line := range strings.Split(out.String(), "\n") {
		require.LessOrEqual(t, runewidth.StringWidth(line), widest)
	}
	require.Equal(t, "cancelled: nothing is landed yet; run again to go on", (&CancelledError{}).Error())
	require.Equal(t, "cancelled: 1 event of 2,000 is landed; run again to go on", (&CancelledError{Landed: 1, Read: 2000}).Error())
	require.Equal(t, "cancelled: 0 events of 5 are landed; run again to go on", (&CancelledError{Read: 5}).Error())
}
