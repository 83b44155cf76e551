package enginetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder is a test that may fail without failing the one that it is part of.
type recorder struct {
	testing.TB // for what is not about failing: its folders, its context

	mu       sync.Mutex
	failed   bool
	text     strings.Builder
	cleanups []func()
}

// run runs f to its end, or to where it fails, and cleans up after it.
func (r *recorder) run(f func()) {
	apart(f)
	for n := len(r.cleanups); n > 0; n = len(r.cleanups) {
		last := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		apart(last)
	}
}

// apart runs f on a goroutine of its own, which FailNow ends.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// check says whether it failed with one of the complaints.
func (r *recorder) check(complaints []string) {
	r.TB.Helper()
	lines := strings.Split(r.text.String(), "\n")
	at := slices.IndexFunc(lines, func(line string) bool {
		return slices.ContainsFunc(complaints, func(c string) bool { return strings.Contains(line, c) })
	})
	switch {
	case !r.Failed():
		r.TB.Errorf("the broken promise was not noticed")
	case at < 0:
		r.TB.Errorf("something else was noticed than %q:\n%s", complaints, r.text.String())
	default:
		r.TB.Logf("caught: %s", strings.TrimSpace(lines[at]))
	}
}

func (r *recorder) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(&r.text, text)
}

// Cleanup implements testing.TB.
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// Fail implements testing.TB.
func (r *recorder) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

// Failed implements testing.TB.
func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// FailNow implements testing.TB.
func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}

// Error implements testing.TB.
func (r *recorder) Error(args ...any) {
	r.note(fmt.Sprint(args...))
	r.Fail()
}

// Errorf implements testing.TB.
func (r *recorder) Errorf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...))
	r.Fail()
}

// Fatal implements testing.TB.
func (r *recorder) Fatal(args ...any) {
	r.note(fmt.Sprint(args...))
	r.FailNow()
}

// Fatalf implements testing.TB.
func (r *recorder) Fatalf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...))
	r.FailNow()
}

// Log implements testing.TB: what a case that is to fail tells is not of interest.
func (r *recorder) Log(...any) {}

// Logf implements testing.TB.
func (r *recorder) Logf(string, ...any) {}
