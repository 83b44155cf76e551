package doctor

import "slices"

// State is what a finding means.
type State string

// The states, from good to bad.
const (
	OK      State = "ok"
	Skipped State = "skipped" // not checked, since a check before it failed
	Warn    State = "warn"    // works, but not as it should
	Fail    State = "fail"    // will not work until somebody does something
)

// Finding is what one check found about one subject. It holds no secret.
type Finding struct {
	Check   string `json:"check"`            // what was looked at: dns, tls, points …
	Subject string `json:"subject"`          // of what: machine, site/plant-a
	State   State  `json:"state"`            //
	Fault   Fault  `json:"fault,omitempty"`  // what is wrong, for programs; "" when nothing is
	What    string `json:"what"`             // the same for people
	Cure    string `json:"cure,omitempty"`   // what to do about it
	Detail  string `json:"detail,omitempty"` // the server's or the system's own words, or figures
}

// Report is the findings of one run of doctor, in the order of the checks.
type Report struct {
	Findings []Finding
}

// Add appends findings.
func (r *Report) Add(findings ...Finding) { r.Findings = append(r.Findings, findings...) }

// Red reports whether a check failed.
func (r *Report) Red() bool { return r.Count(Fail) > 0 }

// Count returns how many findings are of a state.
func (r *Report) Count(s State) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].State == s {
			n++
		}
	}
	return n
}

// Subjects lists what was looked at, in order.
func (r *Report) Subjects() []string {
	var all []string
	for i := range r.Findings {
		if s := r.Findings[i].Subject; !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// Of returns the findings about a subject.
func (r *Report) Of(subject string) []Finding {
	var all []Finding
	for _, f := range r.Findings {
		if f.Subject == subject {
			all = append(all, f)
		}
	}
	return all
}

// SiteSubject is the subject of findings about a site.
func SiteSubject(name string) string { return "site/" + name }
