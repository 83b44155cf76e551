package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// role is what a process has to do with a Spark session.
type role string

// The roles. A shard is a child of a Python worker, and the Go driver one of the
// launcher; what they used stands in their parent's books when they have ended.
const (
	piServer  role = "PI simulator"
	launcher  role = "launcher"
	goDriver  role = "Go driver"
	driverJVM role = "driver JVM"
	executor  role = "executors"
	daemon    role = "Python daemon"
	worker    role = "Python workers"
	goShard   role = "Go shards"
)

// process is what the kernel says of one.
type process struct {
	pid, parent int
	role        role
	own         time.Duration // processor time, user and system
	reaped      time.Duration // of its children that have ended, and of theirs
}

// clockTicks is the unit of times in /proc, the same on every Linux that Go runs on.
const clockTicks = 100

// readProcess reads /proc/PID/stat; false when the process has ended.
func readProcess(pid int) (process, bool) {
	p := process{pid: pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	// The second field is the program's name, which may have anything in it.
	const first = 3
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	field := func(n int) int64 {
		v, _ := strconv.ParseInt(fields[n-first], 10, 64) // the kernel writes numbers
		return v
	}
	if len(fields) <= 17-first {
		return p, false
	}
	duration := func(n int64) time.Duration { return time.Duration(n) * time.Second / clockTicks }
	p.parent, p.own, p.reaped = int(field(4)), duration(field(14)+field(15)), duration(field(16)+field(17))
	return p, true
}

// family returns the processes with a role, of those that descend from roots.
func family(roots map[int]role) map[int]process {
	all := map[int]process{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, e := range entries {
		if pid, err := strconv.Atoi(filepath.Base(e)); err == nil {
			if p, alive := readProcess(pid); alive {
				all[pid] = p
			}
		}
	}
	known := map[int]process{}
	var find func(pid int) role
	find = func(pid int) role {
		if p, ok := known[pid]; ok {
			return p.role
		}
		p, alive := all[pid]
		if !alive {
			return ""
		}
		if r, ok := roots[pid]; ok {
			p.role = r
		} else if above := find(p.parent); above != "" {
			p.role = roleOf(commandLine(pid), above)
		}
		known[pid] = p
		return p.role
	}
	for pid := range all {
		find(pid)
	}
	for pid, p := range known {
		if p.role == "" {
			delete(known, pid)
		}
	}
	return known
}

func commandLine(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // it may have ended
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// roleOf tells a process by its command line, and by whose child it is: Python
// workers are forks of their daemon.
func roleOf(args []string, parent role) role {
	switch {
	case slices.Contains(args, "org.apache.spark.deploy.SparkSubmit"):
		return driverJVM
	case slices.Contains(args, "org.apache.spark.executor.CoarseGrainedExecutorBackend"):
		return executor
	case parent == executor:
		return daemon
	case parent == daemon:
		return worker
	case parent == worker && len(args) == 2 && args[1] == shardCommand:
		return goShard
	case parent == launcher && slices.Contains(args, "--engine=spark"):
		return goDriver
	}
	return ""
}

// spent is the processor time of each role between two looks at a family.
func spent(before, after map[int]process) map[role]time.Duration {
	out := map[role]time.Duration{}
	for pid, p := range after {
		out[p.role] += p.own - before[pid].own
		reaped := p.reaped - before[pid].reaped
		switch p.role {
		case worker:
			out[goShard] += reaped
		case launcher:
			out[goDriver] += reaped
		}
	}
	out[worker] += out[daemon]
	delete(out, daemon)
	return out
}

// peaks returns the most memory that a process of each role had so far, from now
// on: the kernel's marks, read again and again until stop is called.
func peaks(roots map[int]role) (stop func() map[role]int64) {
	for pid, p := range family(roots) {
		if p.role == driverJVM {
			forgetHighWater(pid)
		}
	}
	most, ended := map[role]int64{}, make(chan struct{})
	look := func() {
		for pid, p := range family(roots) {
			most[p.role] = max(most[p.role], highWater(pid))
		}
	}
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				look()
				return
			case <-tick.C:
				look()
			}
		}
	})
	return func() map[role]int64 {
		close(ended)
		done.Wait()
		return most
	}
}

// forgetHighWater lets the kernel's mark begin anew at what a process has now.
// Where it may not, the mark is the highest of the process's life.
func forgetHighWater(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}
