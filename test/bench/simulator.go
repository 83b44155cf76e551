package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// now is the simulators' clock, which stands still: every run reads the same events.
const now = "2026-03-01T12:00:00Z"

// plant is a simulator, a process of its own, with a pipeline that reads it.
type plant struct {
	b      *bench
	dir    string
	url    string
	server *exec.Cmd
	stdout *bufio.Reader
}

// counted is what a simulator says at its end.
type counted struct {
	Requests   int64            `json:"requests"`
	ByEndpoint map[string]int64 `json:"by_endpoint"`
	Events     int64            `json:"events"`
}

const plantYML = `version: 1
name: bench
catalog: main
inventory: inventory.csv
sites:
  - name: plant-a
    url: %s
    auth: {kind: anonymous}
    limits: {requests_per_second: 1000, connections: %d}
sizing: {min_tags: 1000, target_tags: %d, max_tags: 5000, tags_per_worker: 1000}
tiers:
  - {name: standard, every: 1h}
extract: {backfill: 1h}
`

// newPlant starts a simulator, lists its tags and emits the bundle.
func (b *bench) newPlant(name string, connections, targetTags int, args ...string) (*plant, error) {
	p, err := b.newServer(name, args...)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(plantYML, p.url, connections, targetTags)
	if err := os.WriteFile(filepath.Join(p.dir, "pipeline.yml"), []byte(text), 0o600); err != nil {
		return nil, errors.Join(err, p.stopQuietly())
	}
	for _, command := range []string{"discover", "generate"} {
		if _, err := child(b.ctx, p.dir, b.program("bundlegen"), command); err != nil {
			return nil, errors.Join(err, p.stopQuietly())
		}
	}
	return p, nil
}

// newServer starts a simulator in a scratch folder.
func (b *bench) newServer(name string, args ...string) (*plant, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	p := &plant{b: b, dir: dir}
	return p, p.start("127.0.0.1:0", args...)
}

// start starts the simulator and waits until it serves.
func (p *plant) start(addr string, args ...string) error {
	args = append([]string{"serve", "--addr", addr, "--seed", strconv.FormatUint(p.b.seed, 10), "--now", now, "--stats"}, args...)
	p.server = exec.CommandContext(p.b.ctx, p.b.program("pi-simulator"), args...)
	p.server.Stderr = os.Stderr
	p.server.Cancel = func() error { return p.server.Process.Signal(syscall.SIGTERM) }
	pipe, err := p.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	p.stdout = bufio.NewReader(pipe)
	var ready struct {
		URL string `json:"url"`
	}
	line, err := p.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the simulator did not start: %w", err), p.server.Wait())
	}
	p.url = ready.URL
	return nil
}

// stop ends the simulator and gives what it counted.
func (p *plant) stop() (counted, error) {
	var c counted
	if err := p.server.Process.Signal(os.Interrupt); err != nil {
		return c, err
	}
	err := json.NewDecoder(p.stdout).Decode(&c)
	return c, errors.Join(err, p.server.Wait())
}

// stopQuietly is stop for when something else went wrong already.
func (p *plant) stopQuietly() error {
	_, err := p.stop()
	return err
}

// slower starts the simulator again, at the address that the pipeline has.
func (p *plant) slower(args ...string) error {
	if _, err := p.stop(); err != nil {
		return err
	}
	base, err := url.Parse(p.url)
	if err != nil {
		return err
	}
	return p.start(base.Host, args...)
}

// run runs the emitted job up to the simulator's now.
func (p *plant) run() (usage, error) {
	return child(p.b.ctx, p.dir, p.b.program("bundlegen"), "run", "--local", "--until", now)
}
