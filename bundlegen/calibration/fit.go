package calibration

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/forecast"
	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// measurer fits constants, one after the other: what is measured first is used for the next.
type measurer struct {
	*history
	model    forecast.Model
	measured []Constant
	kept     []Kept
}

func (m *measurer) keep(name, why string) { m.kept = append(m.kept, Kept{name, why}) }

// take notes a constant by its samples, or why there are none.
func (m *measurer) take(name string, samples []float64, why string) (value float64, ok bool) {
	c, known := constants.Find(name)
	if !known || len(samples) == 0 {
		m.keep(name, why)
		return 0, false
	}
	within := func(x float64) float64 { return significant(min(max(x, c.Min), c.Max)) }
	measured := Constant{
		Name: name, Value: within(quantile(samples, 0.5)), Low: within(quantile(samples, 0.1)), High: within(quantile(samples, 0.9)),
		Unit: c.Unit, Samples: len(samples),
	}
	m.measured = append(m.measured, measured)
	return measured.Value, true
}

// statement measures a statement's time by what lies between the batches of one attempt.
func (m *measurer) statement() {
	var samples []float64
	for _, u := range m.runs {
		for i := 1; i < len(u.batches); i++ {
			a, b := &u.batches[i-1], &u.batches[i]
			if a.Partition != b.Partition || a.Attempt != b.Attempt || b.Start.Before(a.End) {
				continue
			}
			between := b.Start.Sub(a.End).Seconds() - float64(a.Events)*m.model.AppendPerEvent
			samples = append(samples, max(0, between)/m.model.Statements)
		}
	}
	if value, ok := m.take("spark_statement", samples, "no task had several batches"); ok {
		m.model.Statement = value
	}
}

// startup measures the start-up of the extraction's clusters, by what lies
// between the end of discovery and the first batch of each task.
func (m *measurer) startup() {
	kinds := map[string]string{}
	for _, t := range m.plan.Tiers {
		switch {
		case t.Compute.Kind == plan.ComputeServerless:
			kinds[t.Name] = "startup_serverless"
		case t.Compute.Kind == plan.ComputeSeparate && t.Compute.Pool:
			kinds[t.Name] = "startup_pool"
		case t.Compute.Kind == plan.ComputeSeparate:
			kinds[t.Name] = "startup_classic"
		}
	}
	const opening = 2 // statements before a task's first batch begins
	samples := map[string][]float64{}
	for _, u := range m.runs {
		discovered, ok := u.tasks[manifest.TaskDiscover]
		for i := range u.batches {
			r := &u.batches[i]
			first := i == 0 || u.batches[i-1].Partition != r.Partition
			if !ok || !first || r.Attempt > 1 || kinds[u.tier] == "" || r.Start.Before(discovered.End) {
				continue
			}
			install := m.model.InstallCluster
			if kinds[u.tier] == "startup_serverless" {
				install = m.model.InstallServerless
			}
			took := r.Start.Sub(discovered.End).Seconds() - opening*m.model.Statement - install
			samples[kinds[u.tier]] = append(samples[kinds[u.tier]], max(0, took))
		}
	}
	for _, name := range []string{"startup_classic", "startup_pool", "startup_serverless"} {
		if !strings.Contains(m.pipeline, ".") {
			m.keep(name, "a run on this machine starts no cluster")
			continue
		}
		m.take(name, samples[name], "no run started such a cluster behind a discovery")
	}
}

// sample is a batch as the PI server's part of it is fitted: seconds = rounds of
// calls x (request + tags a call x tag).
type sample struct{ seconds, requests, tags float64 }

// server measures what a request and a tag take of the PI server.
func (m *measurer) server() {
	list := m.samples()
	if len(list) == 0 {
		m.keep("pi_request", "no batch had enough requests")
		m.keep("pi_tag", "no batch had enough requests")
		return
	}
	request, tag := m.model.Request, m.model.Tag
	if a, b, ok := fit(list); ok {
		request, tag = a, b
	} else {
		m.keep("pi_tag beside pi_request", "all calls have about as many tags, so that one factor is measured for both")
	}
	ratios := make([]float64, len(list))
	for i, s := range list {
		ratios[i] = s.seconds / (s.requests*request + s.tags*tag)
	}
	scaled := func(by float64) []float64 {
		out := make([]float64, len(ratios))
		for i, r := range ratios {
			out[i] = r * by
		}
		return out
	}
	a, _ := m.take("pi_request", scaled(request), "")
	b, _ := m.take("pi_tag", scaled(tag), "")
	m.model.Request, m.model.Tag = a, b
}

// samples returns the batches that show how fast the PI server is: those that were neither
// held back by the budget of requests a second nor read in less than a tenth of a second.
func (m *measurer) samples() []sample {
	var list []sample
	for _, u := range m.runs {
		for i := range u.batches {
			r := &u.batches[i]
			limits := m.partitions[r.Partition].Limits
			calls, signIn := u.calls(i)
			seconds := r.seconds() - float64(r.Events)*m.model.StagePerEvent/4
			if calls < 1 || seconds < 0.1 || calls/max(1, limits.RequestsPerSecond) > 0.8*seconds {
				continue
			}
			rounds := max(math.Ceil(calls/float64(max(1, limits.Connections))), math.Ceil(m.together(u, r)/m.model.Threads))
			list = append(list, sample{seconds: seconds, requests: rounds + signIn, tags: rounds * float64(r.Tags+r.Failed) / calls})
		}
	}
	return list
}

// calls returns a batch's calls for events: its requests but for the one that
// signs in, which the first batch of an attempt makes. A local run signs in once
// for all its tasks, so that a batch of one request has made a call.
func (u *run) calls(batch int) (calls, signIn float64) {
	r := &u.batches[batch]
	first := batch == 0 || u.batches[batch-1].Partition != r.Partition || u.batches[batch-1].Attempt != r.Attempt
	if first && r.Requests > 1 {
		signIn = 1
	}
	return float64(r.Requests) - signIn, signIn
}

// together counts the calls of all batches of a run that asked the same site at the same time.
func (m *measurer) together(u *run, r *Row) float64 {
	total := 0.0
	for i := range u.batches {
		if o := &u.batches[i]; o.Site == r.Site && o.Start.Before(r.End) && r.Start.Before(o.End) {
			calls, _ := u.calls(i)
			total += calls
		}
	}
	return total
}

// tellingWidths is how much wider the widest calls must be than the narrowest, so that
// the time of a request can be separated from that of its tags.
const tellingWidths = 2.0

// fit returns the request and tag that fit the samples best, by least squares of
// the relative errors; not ok if the samples cannot separate the two.
func fit(list []sample) (request, tag float64, ok bool) {
	widths := make([]float64, len(list))
	for i, s := range list {
		widths[i] = s.tags / s.requests
	}
	if len(list) < 4 || quantile(widths, 0.9) < tellingWidths*quantile(widths, 0.1) {
		return 0, 0, false
	}
	var rr, rt, tt, r, t float64
	for _, s := range list {
		x, y := s.requests/s.seconds, s.tags/s.seconds
		rr, rt, tt, r, t = rr+x*x, rt+x*y, tt+y*y, r+x, t+y
	}
	det := rr*tt - rt*rt
	request, tag = (r*tt-t*rt)/det, (t*rr-r*rt)/det
	return request, tag, det > 1e-6*rr*tt && request >= 0 && tag >= 0
}

// rates measures the events an hour of a tag, between the runs of each partition.
// Runs in quick succession were started by hand, for whatever instant: how long a
// time their events are of is not known.
func (m *measurer) rates() {
	least := map[string]float64{} // hours between two runs of a tier
	for _, t := range m.plan.Tiers {
		least[t.Name] = t.Cadence.Hours() / 2
	}
	type last struct {
		start time.Time
		known bool
	}
	before := map[int]last{}
	var samples []float64
	for _, u := range m.runs {
		events, tags, start := map[int]float64{}, map[int]int{}, map[int]time.Time{}
		for _, r := range u.batches {
			events[r.Partition] += float64(r.Events)
			tags[r.Partition] = max(tags[r.Partition], r.Tags+r.Failed)
			if at, ok := start[r.Partition]; !ok || r.Start.Before(at) {
				start[r.Partition] = r.Start
			}
		}
		for id := range m.partitions {
			at, ran := start[id]
			if !ran {
				continue
			}
			if hours := at.Sub(before[id].start).Hours(); before[id].known && hours >= least[u.tier] && tags[id] > 0 {
				samples = append(samples, events[id]/hours/float64(tags[id]))
			}
			before[id] = last{at, true}
		}
	}
	m.take("events_per_hour", samples, "no partition has two runs a cadence apart, so that how long a time its events are of is not known")
}

// tasks measures the fixed part of the other tasks: what the forecast does not put down to PI and to events.
func (m *measurer) tasks() {
	for _, t := range []struct {
		task, constant string
		byPlan         func(plan.Forecast) float64
		assumed        float64
	}{
		{manifest.TaskDiscover, "discover_fixed", func(f plan.Forecast) float64 { return f.DiscoverSeconds }, m.model.DiscoverFixed},
		{manifest.TaskConsolidate, "consolidate", func(f plan.Forecast) float64 { return f.ConsolidateSeconds }, m.model.Consolidate},
		{manifest.TaskValidate, "validate_fixed", func(f plan.Forecast) float64 { return f.ValidateSeconds }, m.model.ValidateFixed},
	} {
		var samples []float64
		for _, u := range m.runs {
			row, ok := u.tasks[t.task]
			if !ok {
				continue
			}
			for _, tier := range m.plan.Tiers {
				if tier.Name == u.tier {
					samples = append(samples, max(0, row.seconds()-max(0, t.byPlan(tier.Forecast)-t.assumed)))
				}
			}
		}
		m.take(t.constant, samples, "no "+t.task+" task has succeeded")
	}
}

// quantile returns the value below which a share of the list is, of a list that is not empty.
func quantile(list []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	at := share * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, x := range slices.Sorted(slices.Values(list)) {
		sum += x
	}
	return sum / float64(len(list))
}

// significant rounds to four digits: what is written is short, and does not
// depend on how a processor fuses its multiplications.
func significant(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	digits := 3 - int(math.Floor(math.Log10(math.Abs(x))))
	if digits < 0 {
		return math.Round(x)
	}
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
