package sitecheck

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Options are how a site is checked.
type Options struct {
	Tags     []inventory.Tag // the site's rows of the inventory; none if there is no inventory yet
	Timeout  time.Duration   // of one request; 0 = 10 s
	Getenv   func(string) (string, bool)
	Resolver *net.Resolver    // nil = the machine's
	Now      func() time.Time // nil = time.Now
}

const defaultTimeout = 10 * time.Second

// patience is how many times the time of one request a check may take that makes
// several.
const patience = 2

// Site is a site under examination: what its checks have found out so far.
type Site struct {
	Options
	pipeline *config.Pipeline
	config   config.Site
	subject  string
	findings []doctor.Finding
	broken   map[string]bool // checks that failed or were skipped

	site      manifest.Site
	files     auth.Files
	base      *url.URL
	route     auth.Connection
	transport http.RoundTripper
	client    *piwebapi.Client
	began     time.Time

	answer *answer               // to the first request, without credentials
	failed error                 // instead of answer
	server piwebapi.DataServer   //
	clocks clocks                //
	points []piwebapi.Point      // some that the account sees
	sample []batch.Stream        // of those, with the hour that was read of each
	events map[int]batch.Outcome // by the position in sample, of those that could be read

	mu     sync.Mutex
	resent map[string]int // requests that were sent again, by what they met
}

// check is one thing that is looked at.
type check struct {
	name  string
	needs []string // checks without which it makes no sense
	run   func(*Site, context.Context)
}

// checks are in the order in which they are made.
var checks = []check{
	{"variables", nil, (*Site).variables},
	{"settings", []string{"variables"}, (*Site).settings},
	{"dns", []string{"settings"}, (*Site).dns},
	{"connection", []string{"dns"}, (*Site).connection},
	{"tls", []string{"connection"}, (*Site).tls},
	{"http", []string{"tls"}, (*Site).http},
	{"sign-in", []string{"http"}, (*Site).signIn},
	{"version", []string{"sign-in"}, (*Site).version},
	{"data-server", []string{"sign-in"}, (*Site).dataServer},
	{"clock", []string{"data-server"}, (*Site).clock},
	{"points", []string{"data-server"}, (*Site).seePoints},
	{"inventory", []string{"data-server"}, (*Site).inventory},
	{"sample", []string{"points"}, (*Site).readSample},
	{"items", []string{"points"}, (*Site).items},
	{"count", []string{"sample"}, (*Site).count},
	{"bounds", []string{"sample"}, (*Site).bounds},
	{"url", []string{"data-server"}, (*Site).url},
	{"csrf", []string{"sign-in"}, (*Site).csrf},
	{"gzip", []string{"sign-in"}, (*Site).gzip},
	{"throttling", []string{"sign-in"}, (*Site).throttling},
}

// Check makes all checks of a site of a pipeline. Only the context's end makes it
// stop early.
func Check(ctx context.Context, p *config.Pipeline, site config.Site, o Options) *Site {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Site{Options: o, pipeline: p, config: site, subject: doctor.SiteSubject(site.Name),
		broken: map[string]bool{}, resent: map[string]int{}, began: time.Now()}
	for _, c := range checks {
		if ctx.Err() != nil {
			break
		}
		if s.without(c.needs) {
			s.broken[c.name] = true
			s.findings = append(s.findings, doctor.Unchecked(c.name, s.subject))
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, patience*s.Timeout)
		c.run(s, bounded)
		cancel()
	}
	return s
}

// Findings returns what was found, in the order of the checks.
func (s *Site) Findings() []doctor.Finding { return s.findings }

// Close closes the connections to the site.
func (s *Site) Close() {
	if s.client != nil {
		s.client.Close()
	}
}

// without reports whether one of some checks failed.
func (s *Site) without(needs []string) bool {
	for _, n := range needs {
		if s.broken[n] {
			return true
		}
	}
	return false
}

func (s *Site) add(f doctor.Finding) {
	f.Subject = s.subject
	if f.State == doctor.Fail {
		s.broken[f.Check] = true
	}
	s.findings = append(s.findings, f)
}

func (s *Site) fine(check string, note doctor.Note, args doctor.Args) {
	s.add(doctor.Fine(check, s.subject, note, args))
}

func (s *Site) fail(check string, fault doctor.Fault, args doctor.Args) {
	s.add(doctor.New(doctor.Fail, check, s.subject, fault, args))
}

func (s *Site) warn(check string, fault doctor.Fault, args doctor.Args) {
	s.add(doctor.New(doctor.Warn, check, s.subject, fault, args))
}

// broke adds the finding of a request that failed, in the words of its error.
func (s *Site) broke(check string, err error) {
	s.add(s.finding(check, doctor.Fail, err))
}

// variables looks for the environment variables of the site's secrets, as discover does.
func (s *Site) variables(context.Context) {
	alone := *s.pipeline
	alone.Sites = []config.Site{s.config}
	var unset *diag.List
	if errors.As(config.CheckEnv(&alone), &unset) {
		for _, p := range unset.Problems {
			s.add(doctor.Finding{Check: "variables", State: doctor.Fail, Fault: doctor.VariableUnset, What: p.Text, Cure: p.Hint})
		}
		return
	}
	var names []string
	for _, secret := range s.config.Secrets() {
		names = append(names, secret.Secret.Env)
	}
	if len(names) > 0 {
		s.fine("variables", doctor.VariablesSet, doctor.Args{"variables": strings.Join(names, ", ")})
	}
}

// settings reads what pipeline.yml names: files, keys, addresses.
func (s *Site) settings(context.Context) {
	site, files, _, err := bundle.Site(s.pipeline, s.config)
	if err == nil {
		s.files = func(name string) ([]byte, error) {
			for _, f := range files {
				if f.Path == name {
					return f.Data, nil
				}
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		// As many at once as a check needs, and no more tries than a person waits for.
		site.Limits.Connections = min(site.Limits.Connections, 4)
		site.Retry = manifest.Retry{Attempts: 2, BackoffSeconds: 0.2, TimeoutSeconds: s.Timeout.Seconds()}
		s.site = site
		s.transport, err = auth.NewTransport(site, s.files, s.Getenv)
	}
	if err == nil {
		s.route, err = auth.NewConnection(site, s.files, s.Getenv)
	}
	if err == nil {
		s.base, err = url.Parse(site.URL)
	}
	if err == nil {
		s.client, err = piwebapi.New(piwebapi.Options{Site: site, Limits: site.Limits, Transport: s.transport,
			FailFast: true, Retrying: s.sentAgain})
	}
	if err != nil {
		for _, p := range diag.Problems(err) {
			s.add(doctor.Finding{Check: "settings", State: doctor.Fail, Fault: doctor.BadSettings, What: p.Text, Cure: p.Hint})
		}
		return
	}
	s.fine("settings", doctor.SettingsRead, nil)
}

// sentAgain counts requests that are sent again; those that are sent in parts are
// about single points, which the sample shows.
func (s *Site) sentAgain(r piwebapi.Retry) {
	if r.State == "" || r.Of == 0 && r.Wait == 0 && r.State != throttledState {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent[r.State]++
}

// probe asks the server something, and once more where it failed as one that may do
// better then.
func (s *Site) probe(ctx context.Context, path, query string) (json.RawMessage, error) {
	body, _, err := s.client.Probe(ctx, path, query)
	var e *piwebapi.Error
	if errors.As(err, &e) && e.Retryable && ctx.Err() == nil {
		state := e.Kind.String()
		if e.Status != 0 {
			state = strconv.Itoa(e.Status)
		}
		s.sentAgain(piwebapi.Retry{State: state, Attempt: 2, Of: 2})
		body, _, err = s.client.Probe(ctx, path, query)
	}
	return body, err
}

// finding words the failure of a request.
func (s *Site) finding(check string, state doctor.State, err error) doctor.Finding {
	f := doctor.Finding{Check: check, Subject: s.subject, State: state, Fault: doctor.BadAnswer, What: err.Error()}
	var login *auth.LoginError
	var e *piwebapi.Error
	if !errors.As(err, &e) {
		return f
	}
	f.What, f.Cure = e.Message, e.Hint()
	switch {
	case errors.As(err, &login):
		f.Fault = doctor.KerberosFault(string(login.Fault))
		return f
	case e.Kind == piwebapi.Canceled && s.throttled() > 0:
		f = s.throttledFinding(check)
	case e.Kind == piwebapi.Canceled || e.Kind == piwebapi.Timeout && e.Status == 0:
		f = doctor.New(state, check, s.subject, doctor.TooSlow, doctor.Args{"timeout": short(s.Timeout)})
	case e.Kind == piwebapi.NotJSON:
		f = doctor.New(state, check, s.subject, doctor.NotPI, doctor.Args{"url": s.site.URL, "said": e.Message})
	case e.Kind == piwebapi.Forbidden:
		f = doctor.New(state, check, s.subject, doctor.Forbidden, doctor.Args{"status": status(e.Status), "said": e.Message})
	case (e.Kind == piwebapi.Server || e.Kind == piwebapi.Timeout) && isGateway(e.Status):
		f = doctor.New(state, check, s.subject, doctor.Gateway, doctor.Args{"status": status(e.Status)})
	case e.Kind == piwebapi.Server || e.Kind == piwebapi.Timeout:
		f = doctor.New(state, check, s.subject, doctor.ServerFails, doctor.Args{"status": status(e.Status), "said": e.Message})
	case e.Kind == piwebapi.Unreachable:
		f = doctor.New(state, check, s.subject, doctor.NoAnswer, doctor.Args{"said": e.Message})
	case e.Kind == piwebapi.Unauthorized:
		f.Fault = doctor.WrongCredentials
	}
	f.State = state
	return f
}
