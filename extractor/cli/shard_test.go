package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/cli"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/stage/stagetest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const noon = 1_767_268_800 * instant.Second // 2026-01-01T12:00:00Z

// worker is a shard's process, started as Spark's Python does.
type worker struct {
	*exec.Cmd
	server *simulator.Server
	spec   shard.Spec
	stream io.ReadCloser
	words  bytes.Buffer
}

// start starts a shard of a site with these options, which reads so much of each tag.
func start(t *testing.T, o simulator.Options, length instant.Ticks) *worker {
	o.Seed, o.Clock = 20261123, func() instant.Ticks { return noon + length }
	w := &worker{server: simulator.New(o)}
	url, err := w.server.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.server.Close()) })
	heartbeat, err := shard.StartHeartbeat("127.0.0.1")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, heartbeat.Close()) })
	w.spec = shard.Spec{Driver: heartbeat.Address(), Site: manifest.Site{Name: "plant-a", URL: url, Auth: manifest.Auth{Kind: "anonymous"},
		Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 8, ItemsPerCall: 150_000},
		Retry:  manifest.Retry{Attempts: 2, TimeoutSeconds: 60}}}
	for _, tag := range w.server.Oracle().Tags() {
		w.spec.Streams = append(w.spec.Streams, batch.Stream{WebID: tag.WebID, Name: tag.Name, Units: tag.Units,
			EventsPerHour: tag.EventsPerHour, After: noon, Until: noon + length})
	}
	line, err := w.spec.Encode()
	require.NoError(t, err)
	w.Cmd = exec.Command(os.Args[0], "shard")
	w.Env = append(os.Environ(), program+"=1")
	w.Stdin, w.Stderr = bytes.NewReader(line), &w.words
	w.stream, err = w.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, w.Start())
	return w
}

// read reads the stream to its end; each is told of each batch.
func (w *worker) read(each func()) (rows int64, trailer string, err error) {
	trailer, err = stagetest.ReadArrow(w.stream, shard.Labels(stage.Labels{}, w.spec.Streams), func(b *columns.Batch) error {
		rows += int64(b.Len())
		each()
		return nil
	})
	return rows, trailer, err
}

// end waits for the process and returns its exit code, -1 for a signal.
func (w *worker) end(t *testing.T) int {
	_, _ = io.Copy(io.Discard, w.stream)
	var exit *exec.ExitError
	if err := w.Wait(); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return w.ProcessState.ExitCode()
}

// The process writes its stream in bounded memory, however many events there are.
func TestShardProcess(t *testing.T) {
	const events, mib = 900_000, 1 << 20
	w := start(t, simulator.Options{Tags: 1000, Uniform: time.Second}, events/1000*instant.Second)
	rows, trailer, err := w.read(func() {})
	require.Zero(t, w.end(t), "%s", &w.words)
	require.NoError(t, err)
	trailers, err := shard.Complete([]shard.Spec{w.spec}, []string{trailer}, rows)
	require.NoError(t, err)
	require.Empty(t, trailers[0].Failure)
	require.InDelta(t, events, rows, 1000) // about one in each second
	require.LessOrEqual(t, w.server.Stats().MaxConcurrent, 8)
	used, ok := w.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	t.Logf("%d MiB at most, %s of processor time for %d events", used.Maxrss*1024/mib,
		w.ProcessState.UserTime()+w.ProcessState.SystemTime(), rows)
	require.Less(t, used.Maxrss*1024/mib, int64(256))
}

// large is more than a pipe and its reader's first batch hold.
var large = simulator.Options{Tags: 200, Uniform: time.Second, Latency: 20 * time.Millisecond}

func TestKilledShardLeavesATornStream(t *testing.T) {
	w := start(t, large, instant.Hour)
	killed := false
	_, _, err := w.read(func() {
		if !killed {
			killed = true
			require.NoError(t, w.Process.Kill())
		}
	})
	require.Error(t, err)
	require.Equal(t, -1, w.end(t))
}

func TestSignalEndsAShard(t *testing.T) {
	w := start(t, simulator.Options{Tags: 3, Faults: simulator.Faults{HangEvery: 1}}, instant.Hour)
	for w.server.Stats().Requests == 0 { // the first call is one that hangs: no sign-in comes before it
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, w.Process.Signal(syscall.SIGTERM))
	_, _, err := w.read(func() {})
	require.Error(t, err)
	require.Equal(t, 130, w.end(t))
	require.Contains(t, w.words.String(), "cancelled")
}

func TestReaderThatGoesEndsAShard(t *testing.T) {
	w := start(t, large, instant.Hour)
	_, err := io.ReadFull(w.stream, make([]byte, 1000))
	require.NoError(t, err)
	require.NoError(t, w.stream.Close())
	require.NotZero(t, w.end(t))
}

func TestShardWithABadSpec(t *testing.T) {
	cmd := exec.Command(os.Args[0], "shard")
	cmd.Env = append(os.Environ(), program+"=1")
	cmd.Stdin = bytes.NewReader([]byte("{}\n"))
	out, err := cmd.Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Empty(t, out, "standard output is the stream")
	require.Contains(t, string(exit.Stderr), "error: the shard's spec: it has version 0")
}

// The help mentions it in one sentence; it is not a task.
func TestHelpMentionsShards(t *testing.T) {
	var out bytes.Buffer
	require.Zero(t, cli.Main(t.Context(), []string{"pi-extractor", "--help"}, &out, io.Discard, os.LookupEnv, nil))
	require.Contains(t, out.String(), "Spark starts pi-extractor shard on a cluster's workers: it reads its work from\n"+
		"   standard input and writes an Arrow stream to standard output.")
}
