package localrun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/localspark"
)

// resultVariable names the file in which pi-extractor leaves its result.
const resultVariable = "PI_EXTRACTOR_RESULT"

// progressVariable names the file in which it keeps its progress.
const progressVariable = "PI_EXTRACTOR_PROGRESS"

// process is one attempt of a task as a process of its own.
type process struct {
	program string
	args    []string
	env     []string
	output  string             // the file of its stdout and stderr
	spark   *localspark.Server // ends the attempt when it ends; nil: a server of somebody else's
	grace   time.Duration      // that it has to end after it was asked to
}

// run runs the process to its end, or asks it to end when ctx is done or Spark
// is dead.
func (p process) run(ctx context.Context) (task.Result, error) {
	if err := os.MkdirAll(filepath.Dir(p.output), 0o700); err != nil {
		return task.Result{}, fmt.Errorf("logs of the tasks: %w", err)
	}
	out, err := os.OpenFile(p.output, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return task.Result{}, fmt.Errorf("logs of the tasks: %w", err)
	}
	defer out.Close()
	resultFile := strings.TrimSuffix(p.output, ".log") + ".json"
	cmd := exec.Command(p.program, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(p.env, resultVariable+"="+resultFile, progressVariable+"="+p.progressFile()), out, out
	child, err := localspark.Start(cmd)
	if err != nil {
		return task.Result{}, diag.WithHint(fmt.Errorf("the wheel's entry point: %w", err), "bundlegen generate rebuilds the wheel")
	}
	var sparkDied <-chan struct{}
	if p.spark != nil {
		sparkDied = p.spark.Done()
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
	case <-sparkDied:
	}
	child.Stop(p.grace)
	result, resultErr := readResult(resultFile)
	switch {
	case child.State().Success():
		return result, resultErr
	case ctx.Err() != nil:
		return result, context.Cause(ctx)
	case ended(sparkDied):
		return result, p.spark.Err() // rather than what the task made of it
	default:
		return result, p.failure(child.State())
	}
}

func (p process) progressFile() string { return strings.TrimSuffix(p.output, ".log") + ".progress" }

// follow reports the progress that the process writes to watch, until stop is called.
func (p process) follow(w watch) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	var last []byte
	var retry piwebapi.Retry
	look := func() {
		data, err := os.ReadFile(p.progressFile())
		var report task.Report
		if err != nil || bytes.Equal(data, last) || json.Unmarshal(data, &report) != nil {
			return // it is not there yet, or of another version
		}
		last = data
		w.progress(report.Progress)
		if report.Retry != nil && *report.Retry != retry {
			retry = *report.Retry
			w.retry(retry)
		}
	}
	go func() {
		defer close(ended)
		defer crash.Exit()
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				look()
			case <-done:
				look()
				_ = os.Remove(p.progressFile()) // a file left behind harms nobody
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// readResult reads and removes what pi-extractor left.
func readResult(file string) (result task.Result, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return result, diag.WithHint(errors.New("the wheel's pi-extractor left no result: it is of another version"),
			"bundlegen generate rebuilds the wheel")
	}
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(data, &result); err != nil {
		return result, fmt.Errorf("the result of the wheel's pi-extractor: %w", err)
	}
	return result, os.Remove(file)
}

// failure returns why a process failed: pi-extractor's own error, else the last line
// of Python's.
func (p process) failure(state *os.ProcessState) error {
	text, err := tail(p.output)
	if err != nil {
		return errors.Join(errors.New(state.String()), err)
	}
	if said := errorOf(text); said != "" {
		return errors.New(said)
	}
	return diag.WithHint(fmt.Errorf("the task's process ended (%s)", strings.Join(append([]string{state.String()}, lastLine(text)...),
		": ")),
		"see %s", p.output)
}

// maxTail bounds what is read of an output, in bytes.
const mostTail = 64 << 10

func tail(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	text := make([]byte, min(info.Size(), mostTail))
	n, err := f.ReadAt(text, info.Size()-int64(len(text)))
	if n < len(text) {
		return "", err
	}
	return string(bytes.ToValidUTF8(text, []byte("�"))), nil
}

// errorOf returns the last error that pi-extractor printed, which may have several
// lines: what follows "error: " up to the launcher's own trace, or the end.
func errorOf(text string) string {
	const head = "error: "
	start := strings.LastIndex("\n"+text, "\n"+head)
	if start < 0 {
		return ""
	}
	said, _, _ := strings.Cut(text[start+len(head):], "\nTraceback (most recent call last)")
	return strings.TrimSpace(said)
}

// lastLine returns the last line that is not empty, if there is one.
func lastLine(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	return []string{text[strings.LastIndexByte(text, '\n')+1:]}
}
