package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// setting is a plant and a plan for it, whose extraction is forecast and then run.
type setting struct {
	tags       int
	every      time.Duration // between two events of a tag
	partitions int

	latency, tagLatency time.Duration // of the server, a call and a tag
	threads             int           // that it works on at once; 0 = no bound
	connections         int           // of the site's budget
	rate                float64       // requests per second of that budget
	items               int           // that a call may return
}

// settings are what forecasts are judged by. None is used to fit anything.
var settings = []setting{
	// Latency, from what a call costs to what its tags cost.
	{2000, 2 * time.Minute, 1, 500 * time.Millisecond, 10 * time.Millisecond, 10, 8, 1000, 150_000},
	{2000, 2 * time.Minute, 2, time.Second, 2 * time.Millisecond, 10, 8, 1000, 150_000},
	{1000, 2 * time.Minute, 1, 100 * time.Millisecond, 20 * time.Millisecond, 10, 8, 1000, 150_000},
	{500, 2 * time.Minute, 1, 910 * time.Millisecond, 50 * time.Millisecond, 10, 8, 1000, 150_000},
	{1500, 2 * time.Minute, 3, 300 * time.Millisecond, 15 * time.Millisecond, 10, 6, 1000, 150_000},
	// Threads: more connections than the server works on at once.
	{2000, 2 * time.Minute, 4, 500 * time.Millisecond, 10 * time.Millisecond, 4, 16, 1000, 150_000},
	{2000, 2 * time.Minute, 4, 400 * time.Millisecond, 4 * time.Millisecond, 2, 8, 1000, 150_000},
	{1000, 2 * time.Minute, 2, 200 * time.Millisecond, 5 * time.Millisecond, 1, 4, 1000, 150_000},
	{3000, 2 * time.Minute, 5, 910 * time.Millisecond, 5 * time.Millisecond, 5, 20, 1000, 150_000},
	// One connection, and one for each of many partitions.
	{800, 2 * time.Minute, 1, 400 * time.Millisecond, 4 * time.Millisecond, 10, 1, 1000, 150_000},
	{2400, 2 * time.Minute, 8, 500 * time.Millisecond, 10 * time.Millisecond, 10, 8, 1000, 150_000},
	{2000, 2 * time.Minute, 10, 600 * time.Millisecond, 50 * time.Millisecond, 20, 20, 1000, 150_000},
	{4000, 2 * time.Minute, 6, 600 * time.Millisecond, 8 * time.Millisecond, 12, 12, 1000, 150_000},
	// A budget of few requests a second.
	{2000, 2 * time.Minute, 1, 100 * time.Millisecond, time.Millisecond, 10, 4, 4, 4_000},
	{1500, 2 * time.Minute, 2, 200 * time.Millisecond, 0, 10, 4, 6, 2_000},
	{1200, 2 * time.Minute, 3, 50 * time.Millisecond, 2 * time.Millisecond, 10, 6, 9, 1_500},
	// Rates and items: how wide a call may be, and in the last how many pages a tag has.
	{600, 5 * time.Second, 1, 300 * time.Millisecond, 2 * time.Millisecond, 10, 4, 1000, 20_000},
	{300, 4 * time.Second, 2, 250 * time.Millisecond, 5 * time.Millisecond, 10, 4, 1000, 10_000},
	{1000, time.Minute, 2, 500 * time.Millisecond, 5 * time.Millisecond, 10, 4, 1000, 2_000},
	{400, 2 * time.Second, 1, 400 * time.Millisecond, 10 * time.Millisecond, 4, 4, 1000, 50_000},
	{5000, 10 * time.Minute, 2, 400 * time.Millisecond, 6 * time.Millisecond, 8, 8, 1000, 150_000},
	{50, time.Second, 1, 500 * time.Millisecond, 20 * time.Millisecond, 10, 8, 1000, 2_000},
}

// quickSettings is how many of them -quick runs.
const quickSettings = 4

// aimedError is how far a forecast of the extraction's time may be off.
const aimedError = 0.15

// localMachine is what the forecast does not know of this machine, measured by
// settings that are not among those that it is judged by.
type localMachine struct {
	fixed float64 // seconds of a partition's extraction without events, while no other publishes
	call  float64 // seconds of a call beside the server's own latency
	event float64 // seconds of an event, to its row
}

// forecastYML is the pipeline.yml of a setting. One machine does all, as here. Its
// cores are no bound, since extractions wait side by side; but they publish one
// after the other.
const forecastYML = `version: 1
name: bench
catalog: main
inventory: inventory.csv
sites:
  - name: plant-a
    url: %s
    auth: {kind: anonymous}
    limits: {requests_per_second: %g, connections: %d, items_per_call: %d}
sizing: {min_tags: 1, target_tags: 5000, max_tags: 5000, tags_per_worker: %d}
tiers:
  - {name: standard, every: 1h, partitions: %d}
extract: {backfill: 1h}
compute: {single_cluster: true}
forecast:
  pi_request: %g
  pi_tag: %g
  pi_threads: %d
  pi_values_per_second: 1000000000
  pi_retry_share: 0
  task_failures: 0
  spot_losses_per_hour: 0
  spark_statement: %g
  batch_statements: 1
  partitions_side_by_side: 1
  stage_per_event: 0
  append_per_event: %g
`

// forecasts compares what the plan says of the extraction's time with what a
// local run then takes.
func (b *bench) forecasts() error {
	b.title("5. Forecasts of the extraction's time, against local runs on a slow server")
	m, err := b.measureMachine()
	if err != nil {
		return err
	}
	b.printf("measured beforehand: %.2f s a partition, %.1f ms a call, %.2f us an event\n\n", m.fixed, 1e3*m.call, 1e6*m.event)
	list := settings
	if b.quick {
		list = list[:quickSettings]
	}
	b.printf(
		"%5s %8s %5s %8s %8s %7s %5s %7s %8s  %9s %9s %7s\n",
		"tags",
		"events/h",
		"parts",
		"ms/call",
		"ms/tag",
		"threads",
		"conns",
		"req/s",
		"items",
		"forecast",
		"measured",
		"error",
	)
	worst, good := 0.0, 0
	for i, s := range list {
		forecast, measured, err := b.try(fmt.Sprintf("forecast-%d", i), s, m)
		if err != nil {
			return fmt.Errorf("setting %d: %w", i+1, err)
		}
		off := forecast/measured - 1
		b.printf(
			"%5d %8.0f %5d %8d %8d %7d %5d %7g %8d  %7.2f s %7.2f s %+6.1f%%\n",
			s.tags,
			s.rateOfTag(),
			s.partitions,
			s.latency.Milliseconds(),
			s.tagLatency.Milliseconds(),
			s.threads,
			s.connections,
			s.rate,
			s.items,
			forecast,
			measured,
			100*off,
		)
		if worst = max(worst, math.Abs(off)); math.Abs(off) <= aimedError {
			good++
		}
	}
	b.sum(
		fmt.Sprintf("forecasts of extraction, %d settings", len(list)),
		fmt.Sprintf("within %.0f%%", 100*aimedError),
		fmt.Sprintf("%d of %d", good, len(list)),
		fmt.Sprintf("worst %.1f%% off", 100*worst),
	)
	return nil
}

// rateOfTag is a tag's events an hour, which is what a run reads.
func (s setting) rateOfTag() float64 { return time.Hour.Seconds() / s.every.Seconds() }

func (s setting) events() float64 { return float64(s.tags) * s.rateOfTag() }

// measureMachine fits what a forecast needs to know of this machine: what many
// small batches and what few large ones take tells a batch from its events, and
// many small calls tell what a call costs beside its latency.
func (b *bench) measureMachine() (m localMachine, err error) {
	small := setting{tags: 2400, every: 2 * time.Minute, partitions: 8, threads: 10, connections: 8, rate: 1000, items: 150_000}
	large := setting{tags: 1000, every: 4 * time.Second, partitions: 2, threads: 10, connections: 4, rate: 1000, items: 150_000}
	_, many, err := b.try("forecast-small", small, m)
	if err != nil {
		return m, err
	}
	_, few, err := b.try("forecast-large", large, m)
	if err != nil {
		return m, err
	}
	// many = partitions·fixed + events·event, and the same of few.
	determinant := float64(small.partitions)*large.events() - float64(large.partitions)*small.events()
	m.fixed = max(0, (many*large.events()-few*small.events())/determinant)
	m.event = max(0, (few*float64(small.partitions)-many*float64(large.partitions))/determinant)

	calls := setting{
		tags:        400,
		every:       10 * time.Minute,
		partitions:  1,
		latency:     100 * time.Millisecond,
		threads:     10,
		connections: 1,
		rate:        1000,
		items:       150,
	}
	forecast, measured, err := b.try("forecast-calls", calls, m)
	m.call = max(0, measured-forecast) / ((forecast - m.fixed) / calls.latency.Seconds())
	return m, err
}

// try returns the forecast of a setting's extraction and what it took, in seconds.
func (b *bench) try(name string, s setting, m localMachine) (forecast, measured float64, err error) {
	archive := []string{"--tags", fmt.Sprint(s.tags), "--uniform", s.every.String(), "--point-type", "Float64"}
	p, err := b.newServer(name, archive...)
	if err != nil {
		return 0, 0, err
	}
	running := true
	defer func() {
		if running {
			err = errors.Join(err, p.stopQuietly())
		}
	}()
	if err := p.describe(s, m); err != nil {
		return 0, 0, err
	}
	if forecast, err = p.forecast(); err != nil {
		return 0, 0, err
	}
	archive = append(archive, "--latency", s.latency.String(), "--tag-latency", s.tagLatency.String(), "--threads", fmt.Sprint(s.threads))
	if err := p.slower(archive...); err != nil {
		running = false
		return 0, 0, err
	}
	u, err := p.run()
	if err != nil {
		return 0, 0, err
	}
	took, err := extraction(u.stderr)
	return forecast, took.Seconds(), err
}

// describe writes a setting's pipeline.yml, lists its tags with their rates, and emits the bundle.
func (p *plant) describe(s setting, m localMachine) error {
	text := fmt.Sprintf(forecastYML, p.url, s.rate, s.connections, s.items, (s.tags+3)/4, s.partitions,
		s.latency.Seconds()+m.call, s.tagLatency.Seconds(), max(1, s.threads), m.fixed, m.event)
	if err := os.WriteFile(filepath.Join(p.dir, "pipeline.yml"), []byte(text), 0o600); err != nil {
		return err
	}
	if _, err := child(p.b.ctx, p.dir, p.b.program("bundlegen"), "discover"); err != nil {
		return err
	}
	if err := p.rates(s.rateOfTag()); err != nil {
		return err
	}
	_, err := child(p.b.ctx, p.dir, p.b.program("bundlegen"), "generate")
	return err
}

// rates writes every tag's rate into the inventory.
func (p *plant) rates(eventsPerHour float64) error {
	path := filepath.Join(p.dir, "inventory.csv")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tags, err := inventory.Read(bytes.NewReader(data), path, inventory.Options{})
	if err != nil {
		return err
	}
	for i := range tags {
		tags[i].EventsPerHour = eventsPerHour
	}
	var out bytes.Buffer
	if err := inventory.Write(&out, tags); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// forecast asks the plan for the extraction's time, in seconds.
func (p *plant) forecast() (float64, error) {
	u, err := child(p.b.ctx, p.dir, p.b.program("bundlegen"), "plan", "--output", "json")
	if err != nil {
		return 0, err
	}
	var document struct {
		Plan struct {
			Forecast struct {
				Extract float64 `json:"extract_seconds"`
			} `json:"forecast"`
		} `json:"plan"`
	}
	err = json.Unmarshal([]byte(u.stdout), &document)
	return document.Plan.Forecast.Extract, err
}
