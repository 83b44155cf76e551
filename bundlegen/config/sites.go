package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/internal/yamlread"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Site is one PI Web API endpoint.
type Site struct {
	Name       string
	URL        string // normalized: scheme://host[:port][/prefix]/piwebapi
	DataServer string
	Region     string // of the cloud: whose bundle the site belongs to; "" = there is one bundle
	Auth       Auth
	TLS        TLS
	Proxy      string // http, https or socks5; "" = as the environment says
	Limits     Limits
	Retry      Retry
	Points     manifest.Points `json:",omitzero"`  // which points belong into the inventory
	AdoptNew   bool            `json:",omitempty"` // new points join partitions in a run
	Task       Task            `json:",omitzero"`
}

// TLS is what the site's certificate is verified with beside the system's roots.
type TLS struct {
	CAFile string `key:",base"`     // PEM; public, so its content is copied into the bundle
	CA     Secret `key:"ca_secret"` // ca_secret
}

// Limits is a site's whole request budget.
type Limits struct {
	RequestsPerSecond float64 // default 500 (half of the server's 1000: others use it too)
	Connections       int     // default 32
	ItemsPerCall      int     // default 150000
	Points            int     `json:",omitempty" key:",unset"` // the most points that the site may list; 0 = 1,000,000
}

// Retry is the policy for one request.
type Retry struct {
	Attempts int           // default 5
	Backoff  time.Duration // default 500ms
	Timeout  time.Duration // default 120s
}

// Task is how Databricks treats the site's extraction tasks, but for those of
// continuous tiers, which their jobs start again themselves. The zero value is the
// default.
type Task struct {
	MaxRetries       *int          // nil = 3; 0 = none
	MinRetryInterval time.Duration `key:",unset"` // from the start of the attempt that failed; 0 = 1m
	Timeout          time.Duration `key:",unset"` // of one attempt, from when its cluster is ready; 0 = made of the forecast
}

// What a task does where pipeline.yml does not say.
const (
	defaultRetries       = 3
	defaultRetryInterval = time.Minute
)

// Retries returns how often a task that failed is tried again.
func (t Task) Retries() int {
	if t.MaxRetries == nil {
		return defaultRetries
	}
	return *t.MaxRetries
}

// RetryInterval returns the least time from the start of a failed attempt to the next.
func (t Task) RetryInterval() time.Duration { return cmp.Or(t.MinRetryInterval, defaultRetryInterval) }

func readSites(o *yamlread.Mapping, cloud string) []Site {
	items := o.Items("sites")
	if n := o.Take("sites"); n == nil || n.Kind == yamlread.Null || n.Kind == yamlread.List && len(items) == 0 {
		o.AddProblem(o.At("sites"), diag.Problem{Text: "sites: none", Allowed: "at least one site",
			Hint: "write a site with name, url and auth, as `bundlegen init --server URL` does"})
	}
	var sites []Site
	names, secrets := map[string]string{}, map[string]string{}
	for i, n := range items {
		s := o.Child(n, fmt.Sprintf("sites[%d]", i), false)
		site := readSite(s, cloud)
		if !inTwoRegions(s, sites, site) {
			unique(s, names, site.Name)
		}
		oneSecretAVariable(s, secrets, site)
		sites = append(sites, site)
	}
	return sites
}

// siteFiles are the keys of a site that name files.
var siteFiles = []string{"tls.ca_file", "auth.krb5_conf"}

// placesOf notes where the sites are, and where they name files: what is in them
// is looked at later, and so is whether points has to be said.
func placesOf(root *yamlread.Mapping, sites []Site) map[string]string {
	places := map[string]string{}
	for i, n := range root.Items("sites") {
		if i >= len(sites) {
			break
		}
		places[sites[i].Name+" points"] = fmt.Sprintf("%s:%d:%d", root.File, n.Line, n.Column)
		for _, key := range siteFiles {
			if at := n.Get(strings.Split(key, ".")...); at != nil {
				places[sites[i].Name+" "+key] = fmt.Sprintf("%s:%d:%d", root.File, at.Line, at.Column)
			}
		}
	}
	return places
}

// inTwoRegions notes a site that another region has already.
func inTwoRegions(o *yamlread.Mapping, before []Site, s Site) bool {
	for _, first := range before {
		if first.Name == s.Name && s.Name != "" && first.Region != s.Region && first.Region != "" && s.Region != "" {
			o.Add(
				o.At("region"),
				fmt.Sprintf(
					"%s: site %s is in region %s already; allowed: one region for a site",
					yamlread.Join(o.Path, "region"),
					s.Name,
					first.Region,
				),
				"keep one of the two; tags that are read from elsewhere are a site of another name",
			)
			return true
		}
	}
	return false
}

func readSite(o *yamlread.Mapping, cloud string) Site {
	if o.Node == nil {
		return Site{}
	}
	s := Site{
		Name:       o.Required("name", siteNameRule),
		URL:        readURL(o, "url", NormalizeURL),
		DataServer: o.Text("data_server", "", lineRule),
		Region:     o.Text("region", "", regionRules[cloud]),
		Proxy:      readProxy(o, "proxy"),
	}
	if o.Take("url") == nil {
		o.Missing("url", "for instance url: https://pi.plant-a.example/piwebapi")
	}
	s.Auth = readAuth(o, s.Name)
	s.TLS = readTLS(o.Mapping("tls"), s.Name)
	s.Limits = readLimits(o.Mapping("limits"))
	s.Retry = readRetry(o.Mapping("retry"))
	s.Points, s.AdoptNew = readPoints(o), o.Bool("adopt_new")
	if s.AdoptNew && s.Points.Kind == manifest.PointsListed {
		o.Forbid("adopt_new", "cannot be combined with points: listed, which never adds a point", "leave one of the two out")
	}
	s.Task = readTask(o.Mapping("task"))
	o.Done()
	if strings.HasPrefix(s.URL, "http:") {
		o.Forbid("tls", "cannot be combined with plain http", "leave it out, or write https")
	}
	return s
}

func readTLS(o *yamlread.Mapping, site string) TLS {
	defer o.Done()
	return TLS{CAFile: o.Text("ca_file", "", pathRule), CA: readSecret(o, "ca_secret", site, "CA")}
}

func readLimits(o *yamlread.Mapping) Limits {
	defer o.Done()
	return Limits{
		RequestsPerSecond: o.Number("requests_per_second", 500, 0.01, 100_000),
		Connections:       o.Int("connections", 32, 1, 10_000),
		ItemsPerCall:      o.Int("items_per_call", 150_000, 1, 100_000_000),
		Points:            o.Int("points", 0, 1, 100_000_000),
	}
}

func readRetry(o *yamlread.Mapping) Retry {
	defer o.Done()
	return Retry{
		Attempts: o.Int("attempts", 5, 1, 100),
		Backoff:  o.Duration("backoff", 500*time.Millisecond, time.Millisecond, 10*time.Minute),
		Timeout:  o.Duration("timeout", 2*time.Minute, time.Second, time.Hour),
	}
}

// readTask reads sites[].task. What the file does not say stays unset: the zero
// value is the default.
func readTask(o *yamlread.Mapping) Task {
	defer o.Done()
	t := Task{
		MinRetryInterval: o.Duration("min_retry_interval", 0, time.Second, time.Hour),
		Timeout:          o.Duration("timeout", 0, 5*time.Minute, 7*day),
	}
	if retries := o.Int("max_retries", defaultRetries, 0, 100); o.Has("max_retries") {
		t.MaxRetries = &retries
	}
	return t
}

// checkTasks notes a policy for tasks where no tier has tasks that would follow it.
func checkTasks(root *yamlread.Mapping, tiers []Tier) {
	if slices.ContainsFunc(tiers, func(t Tier) bool { return !t.Continuous }) {
		return
	}
	for i, n := range root.Items("sites") {
		if e := n.Entry("task"); e != nil {
			root.Add(
				e.Place(),
				fmt.Sprintf("sites[%d].task has no use: all tiers are continuous, and their jobs start failed tasks again themselves", i),
				"leave it out",
			)
		}
	}
}

// readPoints reads which points belong into the inventory: a word, or filters.
func readPoints(o *yamlread.Mapping) manifest.Points {
	const allowed = "all, listed, or a mapping of include, exclude and point_source"
	n := o.Take("points")
	o.Note(
		"points",
		yamlread.Key{
			Type:    yamlread.TypeMapping,
			Default: manifest.PointsAll,
			Allowed: allowed,
			Words:   []string{manifest.PointsAll, manifest.PointsListed},
		},
	)
	switch {
	case n == nil:
		return manifest.Points{}
	case n.Kind == yamlread.String && (n.Text == manifest.PointsAll || n.Text == manifest.PointsListed):
		return manifest.Points{Kind: n.Text}
	case n.Kind == yamlread.String && strings.ContainsAny(n.Text, "*?"):
		o.Wrong(n, "points", allowed, "for instance points: {include: ["+yamlread.Quote(n.Text)+"]}")
		return manifest.Points{}
	case n.Kind != yamlread.Map:
		hint := "all is for every point that the user may see, listed for those of the inventory's rows"
		if n.Kind == yamlread.String {
			hint = suggest.Hint(n.Text, []string{manifest.PointsAll, manifest.PointsListed}, hint)
		}
		o.Wrong(n, "points", allowed, hint)
		return manifest.Points{}
	}
	const high = 1000
	f := o.Mapping("points")
	p := manifest.Points{
		Kind: manifest.PointsFiltered,
		Include: f.Texts(
			"include",
			high,
			filterRule,
		),
		Exclude:     f.Texts("exclude", high, filterRule),
		PointSource: f.Texts("point_source", high, lineRule),
	}
	f.Done()
	if !f.Has("include") && !f.Has("exclude") && !f.Has("point_source") {
		o.Wrong(n, "points", allowed, "points: all is for every point that the user may see")
	}
	return p
}

// oneSecretAVariable notes an environment variable that would have to hold two
// secrets at once where one task reads several sites.
func oneSecretAVariable(o *yamlread.Mapping, secrets map[string]string, s Site) {
	for _, need := range s.Secrets() {
		first, ok := secrets[need.Secret.Env]
		if ok && first != need.Secret.Secret {
			n := o.Node.Get(strings.Split(need.Key, ".")...)
			o.Add(
				n,
				o.Path+"."+need.Key+": its environment variable holds another secret already, that of a site before",
				"give each secret a variable of its own: env: "+need.own,
			)
		}
		secrets[need.Secret.Env] = need.Secret.Secret
	}
}
