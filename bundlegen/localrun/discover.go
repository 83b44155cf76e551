package localrun

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Source is a site that is asked for its points.
type Source struct {
	Site  manifest.Site
	Files func(name string) ([]byte, error) // reads the files that Site names: a certificate, a Kerberos configuration
}

// Discover asks every site for its points, side by side, and gives them as
// tags without a tier or a rate: what PI does not know. progress is told the
// number of points of a site so far; it is called from several goroutines.
func Discover(ctx context.Context, sources []Source, getenv func(string) (string, bool), log *slog.Logger, progress func(site string, points int)) ([]inventory.Tag, error) {
	found := make([][]inventory.Tag, len(sources))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, source := range sources {
		g.Go(func() (err error) {
			found[i], err = points(ctx, source, getenv, log, progress)
			if err != nil {
				return err // it names the site
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []inventory.Tag
	for _, tags := range found {
		out = append(out, tags...)
	}
	return out, nil
}

func points(ctx context.Context, source Source, getenv func(string) (string, bool), log *slog.Logger, progress func(string, int)) ([]inventory.Tag, error) {
	site := source.Site
	transport, err := auth.NewTransport(site, source.Files, getenv)
	if err != nil {
		return nil, err
	}
	client, err := piwebapi.New(piwebapi.Options{Site: site, Limits: site.Limits, Transport: transport, Logger: log})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	server, err := client.DataServer(ctx, site.DataServer)
	if err != nil {
		return nil, err
	}
	var out []inventory.Tag
	err = client.Points(ctx, server, func(page []piwebapi.Point) error {
		for _, p := range page {
			out = append(out, inventory.Tag{Site: site.Name, Name: p.Name, WebID: p.WebID, PointType: p.PointType, Units: p.Units, DigitalSet: p.DigitalSet,
				Descriptor: p.Descriptor, EventsPerHour: -1, Future: p.Future, PointID: p.ID})
		}
		progress(site.Name, len(out))
		return nil
	})
	return out, err
}
