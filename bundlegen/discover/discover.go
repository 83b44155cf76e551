// Package discover asks the sites of a pipeline for their points, as tags of an
// inventory.
package discover

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Source is a site to ask for its points.
type Source struct {
	Site  manifest.Site
	Files func(name string) ([]byte, error) // reads the files that Site names: a certificate, a Kerberos configuration
}

// Options are the sites to ask, and who is told how it goes.
type Options struct {
	Sources  []Source
	Old      *inventory.File // the present inventory; nil: none
	Getenv   func(string) (string, bool)
	Log      *slog.Logger
	Progress func(site string, points int) // called with the number of a site's points so far, from several goroutines
	Trouble  func(line string)             // called, from several goroutines, with a line about a site that fails or works again
}

// discovery is one call of Points.
type discovery struct {
	Options
	retrying func(piwebapi.Retry)
	lists    *piwebapi.Lists
}

// listMemory is the soft memory limit, in bytes, while points are listed: a million
// of them take less.
const listMemory = 352 << 20

// Points asks all sites for their points at the same time, and returns them as tags
// without a tier or a rate, which PI does not know. notes has a sentence for
// everything that an inventory cannot hold.
func Points(ctx context.Context, o Options) (found []inventory.Tag, notes []string, err error) {
	if _, chosen := os.LookupEnv("GOMEMLIMIT"); !chosen {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(listMemory))
	}
	results := make([]discovered, len(o.Sources))
	sites := make([]manifest.Site, len(o.Sources))
	for i, source := range o.Sources {
		sites[i] = source.Site
	}
	known := 0
	if o.Old != nil {
		known = len(o.Old.Tags)
	}
	var notices piwebapi.Notices
	d := discovery{Options: o, lists: piwebapi.NewLists(known, sites...), retrying: func(r piwebapi.Retry) {
		if line := notices.Line(r); line != "" {
			o.Trouble(line)
		}
	}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, source := range o.Sources {
		g.Go(func() error {
			defer crash.Exit()
			results[i].site = source.Site.Name
			return d.points(ctx, source, &results[i]) // its error names the site
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i := range results {
		r := &results[i]
		if r.incomplete {
			r.keep(o.Old)
		}
		var twins []inventory.Twin
		r.tags, twins = inventory.Unique(r.tags, o.Old)
		found = append(found, r.tags...)
		notes = append(notes, r.notes(twins)...)
	}
	return found, notes, nil
}

// discovered is the answer of a site.
type discovered struct {
	site      string
	tags      []inventory.Tag
	nameless  []string // points whose names an inventory cannot hold
	described []string // points that had a text cleaned
	unlisted  []string // what the server could not list, a sentence each

	incomplete bool     // the server has more points than it listed
	lost       []string // rows of a list that the server does not have
}

func (d discovery) points(ctx context.Context, source Source, into *discovered) error {
	site := source.Site
	transport, err := auth.NewTransport(site, source.Files, d.Getenv)
	if err != nil {
		return err
	}
	client, err := piwebapi.New(piwebapi.Options{Site: site, Limits: site.Limits, Transport: transport, Logger: d.Log, FailFast: true,
		Retrying: d.retrying, Lists: d.lists})
	if err != nil {
		return err
	}
	defer client.Close()
	defer func() { into.unlisted, into.incomplete = client.Notes(), client.Incomplete() }()
	server, err := client.DataServer(ctx, site.DataServer)
	if err != nil {
		return err
	}
	rows := d.rows(site.Name)
	points, _, err := client.Find(ctx, server, piwebapi.Selection{
		Sources: site.Points.PointSource,
		Whole:   site.Points.Kind != manifest.PointsListed,
		Count:   len(rows),
		Wanted: func() (wanted []piwebapi.Wanted, err error) {
			if site.Points.Kind == manifest.PointsListed {
				for i := range rows {
					wanted = append(wanted, piwebapi.Wanted{WebID: rows[i].WebID, Name: strings.TrimSpace(rows[i].Name)})
				}
			}
			return wanted, nil
		},
		Progress: func(points int) { d.Progress(site.Name, points) },
	})
	if err != nil {
		return err
	}
	selects := site.Points.Selects()
	for i := range points {
		if selects(points[i].Name) {
			into.add(&points[i])
		}
	}
	if site.Points.Kind == manifest.PointsListed {
		into.onlyListed(rows)
	}
	return nil
}

// rows returns the site's rows of the present inventory.
func (d discovery) rows(site string) []inventory.Tag {
	var rows []inventory.Tag
	for i := 0; d.Old != nil && i < len(d.Old.Tags); i++ {
		if d.Old.Tags[i].Site == site {
			rows = append(rows, d.Old.Tags[i])
		}
	}
	return rows
}

// onlyListed keeps just the rows of a list: no point is added, and rows that the
// server does not have stay as they are.
func (d *discovered) onlyListed(rows []inventory.Tag) {
	d.nameless, d.described = nil, nil // of points that nobody asked for
	found, lost := inventory.Resolve(rows, d.tags)
	for i := range lost {
		lost[i].Tier, lost[i].EventsPerHour = "", -1 // Merge has them of the row
		d.lost = append(d.lost, lost[i].Name)
	}
	d.tags = append(found, lost...)
}

// add adds a point in the form that an inventory can hold. Descriptive texts are
// cleaned. A name or an id must not be changed, so a point with one that cannot be
// written is left out.
func (d *discovered) add(p *piwebapi.Point) {
	t := inventory.Tag{Site: d.site, Name: p.Name, WebID: p.WebID, PointType: inventory.Clean(p.PointType), Units: inventory.Clean(p.Units),
		DigitalSet: inventory.Clean(p.DigitalSet), Descriptor: inventory.Clean(p.Descriptor), EventsPerHour: -1, Future: p.Future,
		PointID: p.ID}
	if inventory.Check(&t) != nil {
		d.nameless = append(d.nameless, p.Name)
		return
	}
	if t.Units != p.Units || t.DigitalSet != p.DigitalSet || t.Descriptor != p.Descriptor || t.PointType != p.PointType {
		d.described = append(d.described, p.Name)
	}
	d.tags = append(d.tags, t)
}

// keep keeps the rows whose points a server that could not list all did not list:
// they may exist.
func (d *discovered) keep(old *inventory.File) {
	if old == nil {
		return
	}
	ids, names := make(map[int64]bool, len(d.tags)), make(map[string]bool, len(d.tags))
	for i := range d.tags {
		ids[d.tags[i].PointID], names[inventory.Fold(d.tags[i].Name)] = true, true
	}
	kept := 0
	for _, t := range old.Tags {
		if t.Site == d.site && !(t.PointID != 0 && ids[t.PointID]) && !names[inventory.Fold(t.Name)] {
			d.tags, kept = append(d.tags, t), kept+1
		}
	}
	if kept > 0 {
		d.unlisted = append(d.unlisted, fmt.Sprintf("%s: rows of the inventory that the server did not list are kept: %d", d.site, kept))
	}
}

// notes returns what a person should know about the site's points.
func (d *discovered) notes(twins []inventory.Twin) []string {
	notes := slices.Clone(d.unlisted)
	note := func(names []string, one, many string) {
		switch n := len(names); {
		case n == 1:
			notes = append(notes, fmt.Sprintf("%s: 1 point %s: %s", d.site, one, few(names)))
		case n > 1:
			notes = append(notes, fmt.Sprintf("%s: %d points %s: %s", d.site, n, many, few(names)))
		}
	}
	note(d.nameless, "is left out, since its name is empty or has control characters",
		"are left out, since their names are empty or have control characters")
	note(d.described, "has control characters in what describes it, which are spaces in the inventory",
		"have control characters in what describes them, which are spaces in the inventory")
	note(d.lost, "of the list is not on the server, or its user may not see it; its row stays as it is",
		"of the list are not on the server, or its user may not see them; their rows stay as they are")
	if n := len(twins); n > 0 {
		pairs := make([]string, n)
		for i, t := range twins {
			pairs[i] = fmt.Sprintf("%s (point %d) beside %s (point %d)", strconv.Quote(t.Left.Name), t.Left.PointID,
				strconv.Quote(t.Kept.Name), t.Kept.PointID)
		}
		what := "1 point is"
		if n > 1 {
			what = fmt.Sprintf("%d points are", n)
		}
		notes = append(notes, fmt.Sprintf("%s: %s left out, since PI does not tell upper from lower case: %s", d.site, what, listed(pairs)))
	}
	return notes
}

// few joins names in quotes, at most ten.
func few(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return listed(quoted)
}

// listed joins texts, at most ten.
func listed(all []string) string {
	const most = 10
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
