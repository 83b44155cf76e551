package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// reader reads a batch's streams from their site into the batch's folder, which
// exists. With an error the folder is of no use.
type reader interface {
	read(ctx context.Context, folder stage.Folder, labels stage.Labels, streams []batch.Stream, watch shard.Watch) (shard.Reading, error)
	close()
}

// reader returns the reader of a site: the workers of a cluster, or else this process.
func (a *attempt) reader(name string) (reader, error) {
	sites, err := a.sites()
	if err != nil {
		return nil, err
	}
	site, ok := sites[name]
	if !ok {
		return nil, diag.WithHint(fmt.Errorf("sites.json has no site %q", name), "the bundle was deployed in part: deploy it again")
	}
	client, err := a.connect(site, a.Params.Limits) // sends nothing, but reports what is missing
	if err != nil {
		return nil, err
	}
	if a.Shards == nil {
		return inlineReader{client}, nil
	}
	w, err := a.workers(site)
	if err != nil {
		client.Close()
		return nil, err
	}
	w.client = client
	return w, nil
}

// inlineReader reads in this process.
type inlineReader struct{ client *piwebapi.Client }

func (r inlineReader) read(ctx context.Context, folder stage.Folder, labels stage.Labels, streams []batch.Stream,
	watch shard.Watch) (shard.Reading, error) {
	writer, err := folder.CreateWriter(0, shard.Labels(labels, streams))
	if err != nil {
		return shard.Reading{}, fmt.Errorf("staging file: %w", err)
	}
	got, err := shard.Read(ctx, r.client, streams, writer, watch)
	failed := writer.Close()
	switch {
	case ctx.Err() != nil:
		return got, ctx.Err()
	case err != nil || failed != nil:
		return got, fmt.Errorf("staging file: %w", cmp.Or(failed, err)) // Close returns the first error
	}
	got.Files = []batch.File{writer.File()}
	return got, nil
}

func (r inlineReader) close() { r.client.Close() }

// workers reads by shards.
type workers struct {
	runner  shard.Runner
	client  *piwebapi.Client // tries the credentials before the shards, which do not know of each other
	spec    shard.Spec       // common to all shards
	share   manifest.Limits  // of the partition
	maxTags int              // tags a shard
	begin   time.Time        // no request is made before
}

func (a *attempt) workers(site manifest.Site) (*workers, error) {
	w := &workers{runner: a.Shards, spec: shard.Spec{Version: shard.SpecVersion, Site: site}, share: a.Params.Limits,
		maxTags: a.Params.TagsPerShard, begin: a.started}
	for _, f := range []struct {
		what, name string
		to         *string
	}{
		{"certificate authority", site.TLS.CAFile, &w.spec.CA},
		{"Kerberos configuration", site.Auth.Krb5Conf, &w.spec.Krb5Conf},
	} {
		if f.name == "" {
			continue
		}
		text, err := auth.Folder(a.Params.Bundle)(f.name)
		if err != nil {
			return nil, fmt.Errorf("the %s of site %q: %w", f.what, site.Name, err)
		}
		*f.to = string(text)
	}
	if a.Params.Attempt > 1 {
		// The shards of an attempt that died may run on for a while: only then is their
		// share of the site's budget free.
		w.begin = a.started.Add(cmp.Or(a.GracePeriod, shard.GracePeriod))
	}
	return w, nil
}

func (w *workers) read(ctx context.Context, folder stage.Folder, labels stage.Labels, streams []batch.Stream,
	watch shard.Watch) (shard.Reading, error) {
	if err := sleep.For(ctx, time.Until(w.begin)); err != nil {
		return shard.Reading{}, err
	}
	before := w.client.Requests()
	if err := w.client.SignIn(ctx, streams[0]); err != nil {
		return shard.Reading{}, err
	}
	parts := shard.Split(streams, w.maxTags)
	lanes := shard.Lanes(w.share, len(parts))
	trailers, files, err := w.runner.RunShards(ctx, folder, labels, w.specs(streams, parts, lanes), lanes)
	switch {
	case ctx.Err() != nil:
		return shard.Reading{}, ctx.Err()
	case err != nil:
		return shard.Reading{}, fmt.Errorf("read by shards: %w", err)
	}
	got := gather(trailers, parts, streams)
	got.Requests += w.client.Requests() - before
	got.Files = files
	watch.Events(int(got.Events))
	for i, o := range got.Outcomes {
		watch.Done(i, o)
	}
	return got, nil
}

func (w *workers) close() { w.client.Close() }

// specs returns the spec of each shard. Shard i runs in lane i mod lanes, one after the
// other, and has that lane's share of the budget.
func (w *workers) specs(streams []batch.Stream, parts [][]int, lanes int) []shard.Spec {
	shares := shard.Share(w.share, lanes)
	out := make([]shard.Spec, len(parts))
	for i, part := range parts {
		s := w.spec
		s.Shard, s.Site.Limits, s.Streams = i, shares[i%lanes], make([]batch.Stream, len(part))
		for j, stream := range part {
			s.Streams[j] = streams[stream]
		}
		out[i] = s
	}
	return out
}

// gather merges the trailers of shards into one reading.
func gather(trailers []shard.Trailer, parts [][]int, streams []batch.Stream) shard.Reading {
	got := shard.Reading{Outcomes: make([]batch.Outcome, len(streams))}
	var failures []string
	for i, c := range trailers {
		got.Events, got.Requests, got.Retries = got.Events+c.Events, got.Requests+c.Requests, got.Retries+c.Retries
		for j, stream := range parts[i] {
			o := &c.Streams[j]
			got.Outcomes[stream] = streams[stream].Outcome(o.Through, o.Events, o.Error)
		}
		if c.Failure != "" && !slices.Contains(failures, c.Failure) {
			failures = append(failures, c.Failure)
		}
	}
	if len(failures) > 0 {
		got.Failure = errors.New(strings.Join(failures, "\n"))
	}
	return got
}
