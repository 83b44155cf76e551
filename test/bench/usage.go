package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a program, or a stretch of this one, took.
type usage struct {
	wall   time.Duration
	cpu    time.Duration // user and system, of all threads
	rss    int64         // most bytes of memory at once; of programs only
	stdout string
	stderr string
}

// child runs a program in dir to its end; an exit code other than 0 is an error.
func child(ctx context.Context, dir, program string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watch(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	u := usage{wall: time.Since(began), stdout: stdout.String(), stderr: stderr.String()}
	close(ended)
	u.rss = <-peak
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, u.stderr, u.stdout)
	}
	return u, nil
}

// watch returns the most memory that a process has had so far, read again and
// again until it ends. The kernel keeps that mark, so that no peak is missed
// but one in the last hundredth of a second. What wait4 reports is of no use:
// it begins with the memory of the parent that the process was forked from.
func watch(pid int, ended <-chan struct{}) int64 {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var most int64
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
			most = max(most, highWater(pid))
		}
	}
}

// highWater reads VmHWM of a process; 0 when it has ended.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err == nil {
				return kb << 10
			}
		}
	}
	return 0
}

// here measures f in this process, in which nothing else goes on meanwhile.
func here(f func() error) (usage, error) {
	cpu, began := processTime(), time.Now()
	err := f()
	return usage{wall: time.Since(began), cpu: processTime() - cpu}, err
}

func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it does not fail for oneself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// per returns nanoseconds for each of n.
func per(d time.Duration, n int64) float64 { return float64(d.Nanoseconds()) / float64(max(1, n)) }
