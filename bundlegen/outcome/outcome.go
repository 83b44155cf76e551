// Package outcome is how runs of jobs end, on this machine or on Databricks, and
// how several runs end together.
package outcome

// Outcome is how a run ended, from good to bad.
type Outcome int

// The outcomes.
const (
	OK        Outcome = iota
	Partial           // some tags or partitions failed, the rest is landed
	Failed            // no partition ended well, or the run could not begin
	Cancelled         // a person ended it; what was landed until then stays
)

var names = [...]string{"ok", "partial", "failed", "cancelled"}

// String returns the outcome as documents have it.
func (o Outcome) String() string { return names[o] }

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Worse returns the worse of two: the outcome of jobs of one bundle.
func Worse(a, b Outcome) Outcome { return max(a, b) }

// Across returns the outcome of several bundles' runs: Partial where some landed and
// others did not. None at all is OK.
func Across(all ...Outcome) Outcome {
	if len(all) == 0 {
		return OK
	}
	worst, best := all[0], all[0]
	for _, o := range all {
		worst, best = max(worst, o), min(best, o)
	}
	if worst == Failed && best < Failed {
		return Partial
	}
	return worst
}
