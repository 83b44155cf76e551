package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/piwebapi"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// parts is where the CPU goes, in ns an event.
type parts struct {
	read    float64 // requests, answers and decoding: the client as a whole
	decode  float64 // of that, decoding
	parquet float64
	duckdb  float64
	json    float64 // decoding the same bytes by encoding/json into structs
}

// sampled is the number of tags whose bodies are kept and decoded once more.
const sampled = 100

// measureParts measures each step by itself, with the packages that the run uses.
func (p *plant) measureParts() (out parts, err error) {
	streams, labels, err := p.streams()
	if err != nil {
		return out, err
	}
	kept := &keeper{}
	sample := &batches{}
	if _, err := p.read(streams[:sampled], kept.around, sample); err != nil {
		return out, err
	}
	if out.decode, err = kept.decode(streams); err != nil {
		return out, err
	}
	if out.json, err = kept.json(); err != nil {
		return out, err
	}
	kept.answers = nil
	if out.read, err = p.read(streams, nil, &batches{discard: true}); err != nil {
		return out, err
	}
	out.parquet, out.duckdb, err = p.stageAndPublish(sample.kept, streams, labels)
	return out, err
}

// streams returns what the run reads, and how its rows are labelled.
func (p *plant) streams() ([]batch.Stream, stage.Labels, error) {
	l := stage.Labels{Site: "plant-a", Pipeline: "bench", BatchID: batch.NewID(), Ingested: instant.FromTime(time.Now())}
	f, err := os.Open(filepath.Join(p.dir, "inventory.csv"))
	if err != nil {
		return nil, l, err
	}
	tags, err := inventory.Read(f, "inventory.csv", inventory.Options{})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, l, err
	}
	until, err := instant.Parse(now)
	if err != nil {
		return nil, l, err
	}
	var streams []batch.Stream
	for i, t := range tags {
		numeric := t.PointType != "Digital" && t.PointType != "String" && t.PointType != "Timestamp"
		streams = append(
			streams,
			batch.Stream{
				Index:         int32(i),
				WebID:         t.WebID,
				Name:          t.Name,
				Numeric:       numeric,
				EventsPerHour: landedEvents,
				After:         until - instant.Hour - 1,
				Until:         until,
			},
		)
		l.WebID, l.Name, l.Units = append(l.WebID, t.WebID), append(l.Name, t.Name), append(l.Units, t.Units)
	}
	return streams, l, nil
}

// read reads streams by the client and gives the CPU of it, ns an event.
func (p *plant) read(streams []batch.Stream, around func(http.RoundTripper) http.RoundTripper, sink *batches) (float64, error) {
	site := manifest.Site{Name: "plant-a", URL: p.url, Auth: manifest.Auth{Kind: "anonymous"}, Limits: manifest.Limits{Connections: 4}}
	transport, err := auth.NewTransport(site, auth.Folder(p.dir), os.LookupEnv)
	if err != nil {
		return 0, err
	}
	if around != nil {
		transport = around(transport)
	}
	client, err := piwebapi.New(
		piwebapi.Options{Site: site, Limits: site.Limits, Transport: transport, Memory: piwebapi.NewMemory(1 << 40)},
	) // the batches are kept
	if err != nil {
		return 0, err
	}
	defer client.Close()
	sink.client = client
	runtime.GC() // of what came before
	u, err := here(func() error { return client.Recorded(p.b.ctx, streams, sink) })
	return per(u.cpu, sink.events.Load()), errors.Join(err, sink.failure())
}

// batches is a Sink that keeps what it is given, or only counts it.
type batches struct {
	client  *piwebapi.Client
	discard bool
	events  atomic.Int64

	mu   sync.Mutex
	kept []*columns.Batch
	err  error
}

// Events implements piwebapi.Sink.
func (s *batches) Events(_ context.Context, b *columns.Batch) error {
	s.events.Add(int64(b.Len()))
	if s.discard {
		s.client.Free(b)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, b)
	return nil
}

// Done implements piwebapi.Sink.
func (s *batches) Done(_ int, _ batch.Outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

func (s *batches) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// keeper keeps the answers to calls for stream sets.
type keeper struct {
	mu      sync.Mutex
	answers []answer
}

type answer struct {
	query url.Values
	body  []byte
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (k *keeper) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil || len(r.URL.Query()["webId"]) == 0 {
			return response, err
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return nil, err
		}
		k.mu.Lock()
		k.answers = append(k.answers, answer{r.URL.Query(), body})
		k.mu.Unlock()
		response.Body = io.NopCloser(bytes.NewReader(body))
		return response, nil
	})
}

// decodings is how often the kept bodies are decoded: a clock is too coarse for once.
const decodings = 4

// decode decodes the kept bodies as the client does.
func (k *keeper) decode(streams []batch.Stream) (float64, error) {
	byID := map[string]*batch.Stream{}
	for i := range streams {
		byID[streams[i].WebID] = &streams[i]
	}
	d, b, events := decode.New(), columns.Batch{}, int64(0)
	runtime.GC()
	u, err := here(func() error {
		for range decodings {
			for _, a := range k.answers {
				var asked []batch.Stream
				for _, id := range a.query["webId"] {
					asked = append(asked, *byID[id])
				}
				most, err := strconv.Atoi(a.query.Get("maxCount"))
				if err != nil {
					return err
				}
				b.Reset()
				if err := d.StreamSet(bytes.NewReader(a.body), asked, most, &b, make([]decode.Result, len(asked))); err != nil {
					return err
				}
				events += int64(b.Len())
			}
		}
		return nil
	})
	return per(u.cpu, events), err
}

// json decodes the kept bodies by the standard library into structs.
func (k *keeper) json() (float64, error) {
	events := int64(0)
	runtime.GC()
	u, err := here(func() error {
		for _, a := range k.answers {
			var set struct {
				Items []struct {
					WebID string `json:"WebId"`
					Name  string
					Items []struct {
						Timestamp                                  time.Time
						Value                                      any
						Good, Questionable, Substituted, Annotated bool
					}
				}
			}
			if err := json.Unmarshal(a.body, &set); err != nil {
				return err
			}
			for i := range set.Items {
				events += int64(len(set.Items[i].Items))
			}
		}
		return nil
	})
	return per(u.cpu, events), err
}

// stageAndPublish writes the sampled events, as those of all tags, to Parquet
// and publishes them: ns an event of each.
func (p *plant) stageAndPublish(
	sample []*columns.Batch,
	streams []batch.Stream,
	labels stage.Labels,
) (parquet, publish float64, err error) {
	ctx := p.b.ctx
	dir, err := os.MkdirTemp(p.dir, "parts-")
	if err != nil {
		return 0, 0, err
	}
	lake, err := duckdb.Open(ctx, dir, "")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	e := lake.Engine(labels.Pipeline)
	if err := e.Claim(ctx); err != nil {
		return 0, 0, err
	}
	state, err := e.Open(ctx, 0, engine.Run{})
	if err != nil {
		return 0, 0, err
	}
	h := batch.Header{
		Pipeline: labels.Pipeline,
		Epoch:    state.Epoch,
		Number:   state.Last + 1,
		ID:       labels.BatchID,
		Status:   batch.Succeeded,
		Site:     labels.Site,
		Tier:     "standard",
		RunID:    "bench",
	}
	for i, s := range streams {
		h.Outcomes = append(h.Outcomes, batch.Outcome{PointID: int64(i + 1), WebID: s.WebID, Name: s.Name, From: s.After, To: s.Until})
	}
	folder, release := e.Folder(0, h.Number, h.ID)
	defer release()
	if err := folder.Create(); err != nil {
		return 0, 0, err
	}
	runtime.GC()
	written, err := here(func() error {
		w, err := folder.CreateWriter(0, labels)
		if err != nil {
			return err
		}
		for round := range len(streams) / sampled {
			for _, b := range sample {
				for i := range b.Stream {
					b.Stream[i] = b.Stream[i]%sampled + int32(round*sampled)
				}
				if err := w.Write(b); err != nil {
					return errors.Join(err, w.Close())
				}
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		h.Events, h.Files = w.Events(), []batch.File{w.File()}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if err := folder.Seal(&h); err != nil {
		return 0, 0, err
	}
	published, err := here(func() error {
		verdict, err := e.Publish(ctx, folder)
		if err == nil && verdict != engine.Applied {
			err = errors.New("the batch was not applied")
		}
		return err
	})
	return per(written.cpu, h.Events), per(published.cpu, h.Events), err
}

// duckDBVersion asks the library.
func (b *bench) duckDBVersion(dir string) (version string, err error) {
	lake, err := duckdb.Open(b.ctx, dir, "")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	if err := lake.DB().QueryRowContext(b.ctx, "SELECT version()").Scan(&version); err != nil {
		return "", fmt.Errorf("ask DuckDB for its version: %w", err)
	}
	return version, nil
}
