package endtoend_test

import (
	"bytes"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

var sparkKills = flag.Int(
	"spark-kills",
	0,
	"how many processes TestKillOnSpark kills at random moments, after one of each kind at a fixed one",
)

// startOfShards bounds the wait for a run's first shard: Spark, the wheel and the
// tables come before it, on a machine that may do much else.
const startOfShards = 20 * time.Minute

// victim is a kind of processes of a run on Spark, by what their command lines have.
type victim struct {
	kind string
	is   func(args []string) bool
}

var victims = []victim{
	{"executor", func(a []string) bool {
		return slices.Contains(a, "org.apache.spark.executor.CoarseGrainedExecutorBackend")
	}},
	{"shard", func(a []string) bool {
		return strings.HasPrefix(filepath.Base(a[0]), "pi-extractor-") && len(a) > 1 && a[1] == "shard"
	}},
	{"go driver", func(a []string) bool { return slices.Contains(a, "--engine=spark") && slices.Contains(a, "extract") }},
	{"launcher", func(a []string) bool { return len(a) > 1 && strings.HasSuffix(a[1], "/pi-extractor-extract") }},
	{"driver JVM", func(a []string) bool {
		return slices.Contains(a, "org.apache.spark.sql.connect.service.SparkConnectServer")
	}},
}

// TestKillOnSpark kills one process of each kind while shards read, and lets the
// run go on: Spark's and the job's own retries land what was missing. Then it
// kills as many more as it was asked to at random moments, of random kinds,
// bundlegen itself among them.
func TestKillOnSpark(t *testing.T) {
	t.Logf("seed %d, %d kills at random", seed, *sparkKills)
	const latency = 150 * time.Millisecond // so that shards are at work for a while
	p := newPlant(t, simulator.Options{Tags: 90, Latency: latency})
	p.write("pipeline.yml", strings.Replace(p.text("pipeline.yml"), "tags_per_worker: 1000", "tags_per_worker: 10", 1))
	p.write(
		"pipeline.yml",
		strings.Replace(p.text("pipeline.yml"), "name: standard, every: 1h", "name: standard, every: 1h, partitions: 2", 1),
	)
	p.plan()
	p.engine = "spark"
	now := start
	run := p.begin(now)

	// One after the other, of the same run while it lasts.
	for _, v := range victims {
		for dead := false; !dead; {
			if run.ended() {
				require.Less(t, now, start+10*instant.Hour, "twenty runs, and no %s was there to be killed", v.kind)
				now += 30 * instant.Minute
				run = p.begin(now)
			}
			require.Eventually(t, func() bool { return run.find("shard") != 0 || run.ended() }, startOfShards, 10*time.Millisecond)
			if dead = run.kill(v.kind); run.ended() {
				require.Zero(t, run.wait(), "%s\n%s", v.kind, run.out.String())
				p.read(now)
			}
		}
		t.Logf("killed a %s", v.kind)
	}
	require.Zero(t, run.wait(), run.out.String())
	p.read(now)
	t.Log(run.retries())
	p.survived(t)
	if *sparkKills == 0 {
		return
	}

	random := rand.New(rand.NewPCG(seed, 2))
	met := map[string]int{}
	began := time.Now()
	now += 5 * instant.Minute
	p.run(0, now)
	p.read(now)
	longest := time.Since(began)
	for killed := 0; killed < *sparkKills; {
		now += instant.Ticks(random.Int64N(int64(20 * instant.Minute)))
		run := p.begin(now)
		time.Sleep(time.Duration(random.Int64N(int64(longest))))
		kind := "bundlegen"
		if n := random.IntN(len(victims) + 1); n < len(victims) {
			kind = victims[n].kind
		}
		if run.kill(kind) {
			met[kind]++
			killed++
		}
		if code := run.wait(); code == 0 {
			p.read(now)
		}
	}
	now += instant.Minute
	p.run(0, now)
	p.read(now)
	p.survived(t)
	for _, kind := range slices.Sorted(maps.Keys(met)) {
		t.Logf("%4d  %s", met[kind], kind)
	}
}

// survived compares the whole table, and looks for what was left lying about.
func (p *plant) survived(t *testing.T) {
	t.Helper()
	server := p.atRest()
	defer server.Close()
	require.NotZero(t, p.compare())
	require.Zero(t, p.folders(), "staging is empty in the end")
	require.LessOrEqual(t, p.sim.Stats().MaxConcurrent, 8, "the site's limit of connections")
	require.Zero(t, p.sim.Stats().WriteAlarms)
}

// running is a run of bundlegen under way.
type running struct {
	cmd     *exec.Cmd
	out     *bytes.Buffer
	done    chan struct{}
	staging string
}

// begin starts a run up to an instant.
func (p *plant) begin(until instant.Ticks) *running {
	p.clock.Store(max(p.clock.Load(), int64(until)))
	r := &running{
		cmd:     p.command(p.t.Context(), "run", "--local", "--engine", "spark", "--retry-wait", "0s", "--until", until.String()),
		out:     new(bytes.Buffer),
		done:    make(chan struct{}),
		staging: filepath.Join(p.dir, "data", "spark", "staging"),
	}
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
	require.NoError(p.t, r.cmd.Start())
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait() // its exit code says it all
	}()
	return r
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (r *running) wait() int {
	<-r.done
	return r.cmd.ProcessState.ExitCode()
}

// retries returns the line of the closing table that counts them.
func (r *running) retries() string {
	for line := range strings.Lines(r.out.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "all") {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return "no table"
}

// find returns a process of a kind that belongs to the run: all of them have its
// staging folder in their environment. 0 when there is none.
func (r *running) find(kind string) int {
	if kind == "bundlegen" {
		if r.ended() {
			return 0
		}
		return r.cmd.Process.Pid
	}
	i := slices.IndexFunc(victims, func(v victim) bool { return v.kind == kind })
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, e := range entries {
		cmdline, err := os.ReadFile(filepath.Join(e, "cmdline"))
		if err != nil || len(cmdline) == 0 {
			continue // it has ended
		}
		args := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
		if !victims[i].is(args) {
			continue
		}
		environment, err := os.ReadFile(filepath.Join(e, "environ"))
		if err != nil || !bytes.Contains(environment, []byte("PI_EXTRACTOR_STAGING="+r.staging+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(e))
		if err == nil {
			return pid
		}
	}
	return 0
}

// kill kills a process of a kind, and says whether there was one.
func (r *running) kill(kind string) bool {
	for try := 0; try < 200 && !r.ended(); try++ {
		if pid := r.find(kind); pid != 0 {
			return syscall.Kill(pid, syscall.SIGKILL) == nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}
