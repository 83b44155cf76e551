package scenarios_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServersWithoutAnEnd: whatever a PI server sends, or does not, a program takes no
// more than 512 MiB, and ends with a clear error or with what there was to land, also
// where several sites do so at once. How long it may take is bounded far above what it takes, and for a silent server by
// what is promised: a dozen times the time that a request may take.
func TestServersWithoutAnEnd(t *testing.T) {
	const at = "2026-01-31T12:00:00Z"
	for name, c := range map[string]struct {
		sites          int // 0 is one
		tags, backfill string
		well, then     []string // flags of the server while it is listed, and then
		run            bool     // what is bounded is a run; else the listing
		exit           int
		want           string
		within         time.Duration
	}{
		"a page of 240 MB": {tags: "10", then: []string{"--fault", "huge-page"}, exit: 1, within: 4 * time.Minute,
			want: "a page of more than 64 MB or 100000 points, whatever it is asked for, is larger than this program accepts"},
		"points that are always new": {tags: "10", then: []string{"--fault", "endless-points"}, exit: 1, within: 4 * time.Minute,
			want: "it lists more than 1000000 points\nhint: name the points that you want in sites[].points, or raise sites[].limits.points"},
		"a body without an end": {tags: "300", then: []string{"--fault", "endless"}, run: true, exit: 1, within: 4 * time.Minute,
			want: "larger than this program accepts"},
		"a server that ignores maxCount": {tags: "4", backfill: "10m", well: []string{"--uniform", "1ms"}, then: []string{"--uniform", "1ms", "--quirk", "ignores-max-count"},
			run: true, exit: 0, within: 10 * time.Minute},
		"data that never comes": {tags: "300", then: []string{"--fault", "hang"}, run: true, exit: 1, within: 2 * time.Minute,
			want: "no whole answer in time"},
		"two sites of points that are always new": {sites: 2, tags: "10", then: []string{"--fault", "endless-points"}, exit: 1, within: 4 * time.Minute,
			want: "the sites together list more than 1000000 points"},
		"texts without an end at four sites": {sites: 4, tags: "100", then: []string{"--fault", "endless-texts"}, run: true, exit: 1, within: 4 * time.Minute,
			want: "larger than this program accepts"},
		"two bodies without an end": {sites: 2, tags: "300", then: []string{"--fault", "endless"}, run: true, exit: 1, within: 4 * time.Minute,
			want: "larger than this program accepts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sites, addresses, stops := "", make([]string, max(1, c.sites)), make([]func(), max(1, c.sites))
			for i := range addresses {
				addresses[i], stops[i] = serve(t, "127.0.0.1:0", append(c.well, "--tags", c.tags, "--now", at)...)
			}
			timeout := "2m"
			if name == "data that never comes" {
				timeout = "1s"
			}
			if c.backfill == "" {
				c.backfill = "1h"
			}
			for i, address := range addresses {
				sites += fmt.Sprintf(
					"  - {name: plant-%d, url: \"http://%s\", auth: {kind: anonymous}, retry: {attempts: 2, backoff: 1ms, timeout: %s}, task: {max_retries: 0}}\n",
					i,
					address,
					timeout,
				)
			}
			yml := "version: 1\nname: demo\ncatalog: main\ninventory: inventory.csv\nsites:\n" + sites + "extract: {backfill: " + c.backfill + "}\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "pipeline.yml"), []byte(yml), 0o600))
			args := []string{"discover"}
			if c.run {
				for _, args := range [][]string{{"discover"}, {"generate"}} {
					code, _, stderr := measured(t, dir, time.Minute, args...)
					require.Zero(t, code, stderr)
				}
				args = []string{"run", "--local", "--until", at}
			}
			for i, address := range addresses {
				stops[i]()
				serve(t, address, append(c.then, "--tags", c.tags, "--now", at)...)
			}
			code, mib, stderr := measured(t, dir, c.within, args...)
			require.Equal(t, c.exit, code, stderr)
			require.Contains(t, stderr, c.want)
			require.Less(t, mib, int64(512), "MiB")
		})
	}
}

// measured runs bundlegen in a folder and returns its exit code, the most memory that
// it had, in MiB, and what it said. It must end within a time.
func measured(t *testing.T, dir string, within time.Duration, args ...string) (code int, mib int64, said string) {
	program, err := filepath.Abs(filepath.Join(built, "bundlegen"))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &stderr
	begun := time.Now()
	err = cmd.Run()
	require.NoError(t, ctx.Err(), "%s took longer than %s\n%s", args, within, &stderr)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.Logf("%s: %d MiB, %s", args, used.Maxrss/1024, time.Since(begun).Round(time.Millisecond))
	return cmd.ProcessState.ExitCode(), used.Maxrss / 1024, stderr.String()
}

// serve starts a simulator, and returns its address and what ends it.
func serve(t *testing.T, address string, flags ...string) (at string, stop func()) {
	program, err := filepath.Abs(filepath.Join(built, "pi-simulator"))
	require.NoError(t, err)
	cmd := exec.Command(program, append([]string{"serve", "--addr", address}, flags...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "%s", &stderr)
	var ready struct {
		URL string `json:"url"`
	}
	require.NoError(t, json.Unmarshal(line, &ready))
	base, err := url.Parse(ready.URL)
	require.NoError(t, err)
	_, _, err = net.SplitHostPort(base.Host)
	require.NoError(t, err)
	return base.Host, stop
}
