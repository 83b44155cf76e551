package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

func readSites(o *object, cloud string) []Site {
	items := o.items("sites")
	if n := o.take("sites"); n == nil || n.Kind == Null || n.Kind == List && len(items) == 0 {
		o.note(o.at("sites"), diag.Problem{Text: "sites: none", Allowed: "at least one site",
			Hint: "write a site with name, url and auth, as `bundlegen init --server URL` does"})
	}
	var sites []Site
	names, secrets := map[string]string{}, map[string]string{}
	for i, n := range items {
		s := o.child(n, fmt.Sprintf("sites[%d]", i), false)
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
func placesOf(root *object, sites []Site) map[string]string {
	places := map[string]string{}
	for i, n := range root.items("sites") {
		if i >= len(sites) {
			break
		}
		places[sites[i].Name+" points"] = fmt.Sprintf("%s:%d:%d", root.file, n.Line, n.Column)
		for _, key := range siteFiles {
			if at := n.Get(strings.Split(key, ".")...); at != nil {
				places[sites[i].Name+" "+key] = fmt.Sprintf("%s:%d:%d", root.file, at.Line, at.Column)
			}
		}
	}
	return places
}

// inTwoRegions notes a site that is there already, in another region.
func inTwoRegions(o *object, before []Site, s Site) bool {
	for _, first := range before {
		if first.Name == s.Name && s.Name != "" && first.Region != s.Region && first.Region != "" && s.Region != "" {
			o.add(o.at("region"), fmt.Sprintf("%s: site %s is in region %s already; allowed: one region for a site", join(o.path, "region"), s.Name, first.Region),
				"keep one of the two; tags that are read from elsewhere are a site of another name")
			return true
		}
	}
	return false
}

func readSite(o *object, cloud string) Site {
	if o.node == nil {
		return Site{}
	}
	s := Site{
		Name:       o.need("name", siteNameRule),
		URL:        o.url("url", NormalizeURL),
		DataServer: o.text("data_server", "", lineRule),
		Region:     o.text("region", "", regionRules[cloud]),
		Proxy:      o.proxy("proxy"),
	}
	if o.take("url") == nil {
		o.missing("url", "for instance url: https://pi.plant-a.example/piwebapi")
	}
	s.Auth = readAuth(o, s.Name)
	s.TLS = readTLS(o.object("tls"), s.Name)
	s.Limits = readLimits(o.object("limits"))
	s.Retry = readRetry(o.object("retry"))
	s.Points, s.AdoptNew = readPoints(o), o.bool("adopt_new")
	if s.AdoptNew && s.Points.Kind == manifest.PointsListed {
		o.refuse("adopt_new", "cannot be combined with points: listed, which never adds a point", "leave one of the two out")
	}
	s.Task = readTask(o.object("task"))
	o.done()
	if strings.HasPrefix(s.URL, "http:") {
		o.refuse("tls", "cannot be combined with plain http", "leave it out, or write https")
	}
	return s
}

func readTLS(o *object, site string) TLS {
	defer o.done()
	return TLS{CAFile: o.text("ca_file", "", pathRule), CA: readSecret(o, "ca_secret", site, "CA")}
}

func readLimits(o *object) Limits {
	defer o.done()
	return Limits{
		RequestsPerSecond: o.number("requests_per_second", 500, 0.01, 100_000),
		Connections:       o.int("connections", 32, 1, 10_000),
		ItemsPerCall:      o.int("items_per_call", 150_000, 1, 100_000_000),
		Points:            o.int("points", 0, 1, 100_000_000),
	}
}

func readRetry(o *object) Retry {
	defer o.done()
	return Retry{
		Attempts: o.int("attempts", 5, 1, 100),
		Backoff:  o.duration("backoff", 500*time.Millisecond, time.Millisecond, 10*time.Minute),
		Timeout:  o.duration("timeout", 2*time.Minute, time.Second, time.Hour),
	}
}

// readTask reads sites[].task. What the file does not say stays unset: the zero
// value is the default.
func readTask(o *object) Task {
	defer o.done()
	t := Task{
		MinRetryInterval: o.duration("min_retry_interval", 0, time.Second, time.Hour),
		Timeout:          o.duration("timeout", 0, 5*time.Minute, 7*day),
	}
	if retries := o.int("max_retries", defaultRetries, 0, 100); o.has("max_retries") {
		t.MaxRetries = &retries
	}
	return t
}

// checkTasks notes a policy for tasks where no tier has tasks that would follow it.
func checkTasks(root *object, tiers []Tier) {
	if slices.ContainsFunc(tiers, func(t Tier) bool { return !t.Continuous }) {
		return
	}
	for i, n := range root.items("sites") {
		if e := n.entry("task"); e != nil {
			root.addAt(e.Line, e.Column, fmt.Sprintf("sites[%d].task has no use: all tiers are continuous, and their jobs start failed tasks again themselves", i), "leave it out")
		}
	}
}

// readPoints reads which points belong into the inventory: a word, or filters.
func readPoints(o *object) manifest.Points {
	const allowed = "all, listed, or a mapping of include, exclude and point_source"
	n := o.take("points")
	switch {
	case n == nil:
		return manifest.Points{}
	case n.Kind == String && (n.Text == manifest.PointsAll || n.Text == manifest.PointsListed):
		return manifest.Points{Kind: n.Text}
	case n.Kind == String && strings.ContainsAny(n.Text, "*?"):
		o.wrong(n, "points", allowed, "for instance points: {include: ["+quote(n.Text)+"]}")
		return manifest.Points{}
	case n.Kind != Map:
		hint := "all is for every point that the user may see, listed for those of the inventory's rows"
		if n.Kind == String {
			hint = suggest.Hint(n.Text, []string{manifest.PointsAll, manifest.PointsListed}, hint)
		}
		o.wrong(n, "points", allowed, hint)
		return manifest.Points{}
	}
	const most = 1000
	f := o.object("points")
	p := manifest.Points{Kind: manifest.PointsFiltered,
		Include: f.texts("include", most, filterRule), Exclude: f.texts("exclude", most, filterRule), PointSource: f.texts("point_source", most, lineRule)}
	f.done()
	if !f.has("include") && !f.has("exclude") && !f.has("point_source") {
		o.wrong(n, "points", allowed, "points: all is for every point that the user may see")
	}
	return p
}

// oneSecretAVariable notes an environment variable that would have to hold two
// secrets at once where one task reads several sites.
func oneSecretAVariable(o *object, secrets map[string]string, s Site) {
	for _, need := range s.Secrets() {
		if need.Secret.Secret == "" {
			continue
		}
		first, ok := secrets[need.Secret.Env]
		if ok && first != need.Secret.Secret {
			n := o.node.Get(strings.Split(need.Key, ".")...)
			o.add(n, o.path+"."+need.Key+": its environment variable holds another secret already, that of a site before", "give each secret a variable of its own: env: "+need.own)
		}
		secrets[need.Secret.Env] = need.Secret.Secret
	}
}
