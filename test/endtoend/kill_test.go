package endtoend_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

var kills = flag.Int("kills", 100, "how many runs TestKill kills")

// TestKill kills a run with SIGKILL at random moments, again and again, and
// lets one run end in between now and then: nothing is lost, nothing is twice.
// The moments are drawn over the length of an undisturbed run, so that they
// fall into every step from start-up to the closing of the tables.
func TestKill(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d, %d kills", seed, *kills)
	random := rand.New(rand.NewPCG(seed, 1))
	p := newPlant(
		t,
		simulator.Options{Tags: 90, Latency: 3 * time.Millisecond, Quirks: []simulator.Quirk{simulator.CutBodies, simulator.HTMLErrors}},
	)
	p.plan()

	now, longest := start, 300*time.Millisecond
	met := map[string]int{}
	killed := 0
	for round := 0; killed < *kills; round++ {
		// The first rounds are about the tables in the making and the pins: one
		// instant for all. Then the clock moves on, whatever became of the last run.
		if killed >= *kills/5 {
			now += instant.Ticks(random.Int64N(int64(12 * instant.Minute)))
		}
		if round%10 == 9 {
			began := time.Now()
			p.run(0, now)
			longest = max(longest/2, time.Since(began))
			p.read(now)
			if round%30 == 29 {
				p.compare()
			}
			continue
		}
		if phase, dead := p.killAfter(now, time.Duration(random.Int64N(int64(longest)))); dead {
			met[phase]++
			killed++
		} else {
			p.read(now)
		}
	}
	now += instant.Minute
	p.run(0, now)
	p.read(now)
	events := p.compare()
	require.Zero(t, p.folders(), "staging is empty in the end")

	t.Logf("%d kills met, of a run of %v; %d events, each once:", killed, longest.Round(time.Millisecond), events)
	var lines []string
	for phase, n := range met {
		lines = append(lines, fmt.Sprintf("%4d  %s", n, phase))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(b, a) })
	t.Log("\n" + strings.Join(lines, "\n"))
}

var startedLine = regexp.MustCompile(`s  (\w+?)(_partition_\d+)? started`)

// killAfter starts a run and kills it after a while. dead is false when it had ended before.
func (p *plant) killAfter(until instant.Ticks, after time.Duration) (phase string, dead bool) {
	p.t.Helper()
	p.clock.Store(max(p.clock.Load(), int64(until)))
	cmd := p.command(p.t.Context(), "run", "--local", "--retry-wait", "0s", "--until", until.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(p.t, cmd.Start())
	time.Sleep(after)
	_ = cmd.Process.Kill() // it may have ended
	_ = cmd.Wait()
	if cmd.ProcessState.Exited() {
		require.Zero(p.t, cmd.ProcessState.ExitCode(), out.String())
		return "", false
	}
	phase = "starting"
	if m := startedLine.FindAllStringSubmatch(out.String(), -1); m != nil {
		phase = m[len(m)-1][1]
	}
	return phase, true
}

// folders counts the staging folders that are left.
func (p *plant) folders() int {
	root := filepath.Join(p.dir, "data")
	if p.engine == "spark" {
		root = filepath.Join(root, "spark")
	}
	left, err := filepath.Glob(filepath.Join(root, "staging", "*", "*", "*"))
	require.NoError(p.t, err)
	return len(left)
}

var cancelledLine = regexp.MustCompile(
	`(?m)^cancelled: (?:nothing is landed yet|([\d,]+) events? of ([\d,]+) (?:is|are) landed); run again to go on$`,
)

// TestInterrupt ends runs with SIGINT at moments from before the first step to
// after the last: each stops cleanly with 130 and says how much is landed, no
// word of it sounds like a failure, what they say adds up to what is in the
// table, and the next run goes on.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := newPlant(t, simulator.Options{Tags: 60, Latency: 60 * time.Millisecond})
	p.plan()
	number := func(s string) (n int) {
		n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
		require.NoError(t, err)
		return n
	}
	landed, cancelled, inTheMiddle := 0, 0, 0
	now := start
	p.read(now) // whichever run is the first to pin the tags
	for after := time.Duration(0); cancelled < 12 || inTheMiddle == 0; after = (after + 110*time.Millisecond) % (2 * time.Second) {
		require.Less(t, cancelled, 60, "no run was cancelled with something landed")
		p.clock.Store(int64(now))
		cmd := p.command(t.Context(), "run", "--local", "--frozen", "--until", now.String())
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Start())
		time.Sleep(after)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait()
		said := stdout.String() + stderr.String()
		if code := cmd.ProcessState.ExitCode(); code == 0 {
			landed += tableOf(t, stdout.String())
			now += 10 * instant.Minute
			continue
		}
		cancelled++
		if said == "" && !cmd.ProcessState.Exited() {
			continue // the signal came before the program's first line
		}
		require.Equal(t, 130, cmd.ProcessState.ExitCode(), said)
		require.NotContains(t, said, "context canceled")
		require.NotContains(t, said, " failed")
		require.NotContains(t, said, "error:")
		line := cancelledLine.FindStringSubmatch(stderr.String())
		require.NotNil(t, line, said)
		if line[1] != "" {
			require.LessOrEqual(t, number(line[1]), number(line[2]), said)
			landed += number(line[1])
			inTheMiddle++
		}
	}
	p.clock.Store(int64(now))
	landed += tableOf(t, p.bundlegen(0, "run", "--local", "--until", now.String()))
	p.read(now)
	require.Equal(t, p.compare(), landed, "what the runs said that they landed")
	require.Zero(t, p.folders())
}

// tableOf returns the events that a run's tables say are landed, of all its jobs.
func tableOf(t *testing.T, stdout string) (events int) {
	for _, row := range regexp.MustCompile(`(?m)^ +all +[\d,]+ +([\d,]+) `).FindAllStringSubmatch(stdout, -1) {
		n, err := strconv.Atoi(strings.ReplaceAll(row[1], ",", ""))
		require.NoError(t, err)
		events += n
	}
	return events
}

// TestInterruptTwice: a second signal ends the program at once, and nothing is lost.
func TestInterruptTwice(t *testing.T) {
	t.Parallel()
	// Whoever runs the tests may ignore a hangup, as nohup does: programs that they start would, too.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	p := newPlant(t, simulator.Options{Tags: 60, Latency: 300 * time.Millisecond})
	p.plan()
	for _, signals := range [][]os.Signal{{os.Interrupt, os.Interrupt}, {syscall.SIGHUP}, {syscall.SIGTERM}} {
		cmd := p.command(t.Context(), "run", "--local", "--until", start.String())
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		time.Sleep(time.Second)
		for _, s := range signals {
			_ = cmd.Process.Signal(s) // after the first it may have ended
		}
		_ = cmd.Wait()
		require.Equal(t, 130, cmd.ProcessState.ExitCode(), "%v\n%s", signals, &out)
		require.NotContains(t, out.String(), "context canceled")
	}
	p.run(0, start)
	p.read(start)
	require.NotZero(t, p.compare())
	require.Zero(t, p.folders())
}
