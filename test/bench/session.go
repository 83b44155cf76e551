package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/bundlegen/bundlegen/internal/localspark"
)

// sparkScript has the Spark session, and does in it what it is asked for.
//
//go:embed testdata/spark.py
var sparkScript []byte

// session is a process with a Spark session, whose Python has a bundle's wheel.
type session struct {
	ctx      context.Context
	process  *localspark.Process
	requests *json.Encoder
	answers  *bufio.Reader
	open     []*os.File // our ends of its pipes, and its log
	log      string
	roots    map[int]role // it, and a simulator that it reads
}

// newSession starts one with executors of one processor each, and returns at
// once: the first request waits until Spark has started.
func (b *bench) newSession(dir, wheel string, executors int) (*session, error) {
	home, err := localspark.Ensure(b.ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return nil, err
	}
	python, err := home.Venv(b.ctx, filepath.Join(dir, "venv"), wheel)
	if err != nil {
		return nil, err
	}
	env, err := home.Classic(
		localspark.Options{Dir: filepath.Join(dir, "session"), Python: python, Master: fmt.Sprintf("local-cluster[%d,1,1024]", executors),
			Conf: map[string]string{"spark.scheduler.minRegisteredResourcesRatio": "1.0"}},
	) // or the first job has one executor
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "spark.py")
	if err := os.WriteFile(script, sparkScript, 0o600); err != nil {
		return nil, err
	}
	const answersFD = 3 // the first of ExtraFiles
	cmd := exec.Command(python, script, fmt.Sprint(answersFD))
	cmd.Dir, cmd.Env = dir, env
	s := &session{ctx: b.ctx, log: filepath.Join(dir, "session.log")}
	if err := s.start(cmd); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// start starts the process with its pipes.
func (s *session) start(cmd *exec.Cmd) error {
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	s.open = append(s.open, log)
	theirRequests, requests, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirRequests.Close() // the process has its own
	s.open = append(s.open, requests)
	answers, theirAnswers, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirAnswers.Close()
	s.open = append(s.open, answers)
	s.requests, s.answers = json.NewEncoder(requests), bufio.NewReader(answers)

	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = theirRequests, log, log, []*os.File{theirAnswers}
	if s.process, err = localspark.Start(cmd); err != nil {
		return err
	}
	s.roots = map[int]role{s.process.Pid(): launcher}
	context.AfterFunc(s.ctx, func() { s.process.Stop(stopGrace) })
	return nil
}

// stopGrace is what a session that is cancelled has to end.
const stopGrace = 5 * time.Second

// close ends the process and all that it started.
func (s *session) close() {
	for _, f := range s.open {
		_ = f.Close() // the process sees its requests end
	}
	if s.process == nil {
		return
	}
	select {
	case <-s.process.Done():
	case <-time.After(stopGrace):
	}
	s.process.Stop(stopGrace)
}

// fields are the arguments of a request.
type fields map[string]any

// ask has something done and reads the answer.
func (s *session) ask(do string, arguments fields, answer any) error {
	request := fields{"do": do}
	for name, value := range arguments {
		request[name] = value
	}
	err := s.requests.Encode(request)
	var line []byte
	if err == nil {
		line, err = s.answers.ReadBytes('\n')
	}
	var failed struct{ Error string }
	if err == nil {
		err = errors.Join(json.Unmarshal(line, &failed), json.Unmarshal(line, answer))
	}
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case failed.Error != "":
		return fmt.Errorf("%s: %s\n%s", do, failed.Error, s.lastWords())
	case err != nil:
		return fmt.Errorf("%s: %w\n%s", do, err, s.lastWords())
	}
	return nil
}

// mostWords is what of the session's log stands below an error, in bytes.
const mostWords = 4 << 10

func (s *session) lastWords() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-mostWords):])
}

// measure is ask for something that takes time.
func (s *session) measure(do string, arguments fields, answer any) (e effort, err error) {
	var took struct{ Seconds float64 }
	raw := json.RawMessage{}
	before := family(s.roots)
	if err := s.ask(do, arguments, &raw); err != nil {
		return e, err
	}
	e.cpu = spent(before, family(s.roots))
	err = json.Unmarshal(raw, &took)
	if answer != nil {
		err = errors.Join(err, json.Unmarshal(raw, answer))
	}
	e.wall = time.Duration(took.Seconds * float64(time.Second))
	return e, err
}
