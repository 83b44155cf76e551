package cli

import (
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/crash"
)

// progressVariable names a file for how far the task is, as JSON (task.Report), for
// a program that started this one. It is replaced at most twice a second.
const progressVariable = "PI_EXTRACTOR_PROGRESS"

// reporter keeps that file.
type reporter struct {
	path string
	mu   sync.Mutex
	now  task.Report
	new  bool
}

// startReporter starts one. stop writes the last of it.
func startReporter(path string) (r *reporter, stop func()) {
	r = &reporter{path: path}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer crash.Exit()
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.write()
			case <-done:
				r.write()
				return
			}
		}
	}()
	return r, func() {
		close(done)
		<-ended
	}
}

func (r *reporter) change(change func(*task.Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.now)
	r.new = true
}

func (r *reporter) progress(p task.Progress) { r.change(func(now *task.Report) { now.Progress = p }) }

func (r *reporter) retrying(retry piwebapi.Retry) {
	r.change(func(now *task.Report) { now.Retry = &retry })
}

// write replaces the file. Nobody's work depends on it: what fails is left to the next time.
func (r *reporter) write() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.new {
		return
	}
	data, err := json.Marshal(r.now)
	if err != nil {
		return
	}
	if os.WriteFile(r.path+".tmp", data, 0o600) == nil && os.Rename(r.path+".tmp", r.path) == nil {
		r.new = false
	}
}
