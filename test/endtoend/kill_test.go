package endtoend_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
	p := newPlant(t, simulator.Options{Tags: 90, Latency: 3 * time.Millisecond, Quirks: []simulator.Quirk{simulator.CutBodies, simulator.HTMLErrors}})
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

// TestInterrupt ends a run with SIGINT: it stops cleanly with 130, and the next run goes on.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := newPlant(t, simulator.Options{Tags: 60, Latency: 300 * time.Millisecond})
	p.plan()
	cmd := p.command(t.Context(), "run", "--local", "--until", start.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	time.Sleep(time.Second)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	require.Equal(t, 130, cmd.ProcessState.ExitCode(), out.String())
	require.Contains(t, out.String(), "cancelled")
	p.run(0, start)
	p.read(start)
	require.NotZero(t, p.compare())
	require.Zero(t, p.folders())
}
