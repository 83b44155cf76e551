package scenarios_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scene is what a running script has beyond its folder.
type scene struct {
	processes  map[string]*process
	addresses  map[string]string            // host:port of simulators, also of stopped ones
	remembered map[string]map[string]string // what folders had, see remember
	asked      map[string]*atomic.Int64     // how often websites were asked
	disk       *disk
}

type sceneKey struct{}

func newScene() *scene {
	return &scene{
		processes:  map[string]*process{},
		addresses:  map[string]string{},
		remembered: map[string]map[string]string{},
		asked:      map[string]*atomic.Int64{},
	}
}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

// end ends what the script left running; then its folder can go.
func (s *scene) end() {
	for _, p := range s.processes {
		p.stop()
	}
	if s.disk != nil {
		s.disk.remove()
	}
}

// environment is what the script has set by now, for a program in the background.
func environment(ts *testscript.TestScript) []string {
	f, err := os.CreateTemp("", "environment-")
	ts.Check(err)
	defer os.Remove(f.Name())
	defer f.Close()
	ts.Check(ts.Exec("sh", "-c", `env -0 > "$0"`, f.Name())) // not to stdout, which is logged
	data, err := io.ReadAll(f)
	ts.Check(err)
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// process is a program in the background.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr safeBuffer
	ended          chan struct{}
}

// launch starts a program in the background.
func launch(ts *testscript.TestScript, args []string) *process {
	path := filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[0])
	p := &process{cmd: exec.Command(path, args[1:]...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environment(ts)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	ts.Check(p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code is in its ProcessState
	}()
	return p
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// waitFor waits until something holds, for as long as no healthy machine takes.
func waitFor(ts *testscript.TestScript, what string, holds func() bool) {
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

// safeBuffer takes what a program writes while it is read.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// exitCode runs a program in the foreground and gives its exit code.
func exitCode(ts *testscript.TestScript, args []string) int {
	if d := sceneOf(ts).disk; d != nil {
		args = append(slices.Clone(d.enter), args...)
	}
	err := ts.Exec(args[0], args[1:]...)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	ts.Check(err)
	return 0
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		ts.Fatalf("%s is not an exit code", text)
	}
	return n
}

func wantArgs(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
