package shard

import (
	"context"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// HeartbeatTimeout is how long a shard goes on without a heartbeat of its driver.
const HeartbeatTimeout = 10 * time.Second

// GracePeriod is how long a retry waits before its first request: longer than HeartbeatTimeout.
const GracePeriod = 15 * time.Second

// SpecVersion is the version of Spec. A process accepts no other: the wheel on the
// workers must be the driver's.
const SpecVersion = 1

// Spec is what a shard reads. It holds no secret: those are in the worker's environment.
type Spec struct {
	Version int           `json:"version"`
	Shard   int           `json:"shard"`        // 0, 1, 2 … within the batch
	Site    manifest.Site `json:"site"`         // Limits are the shard's share of the budget
	CA      string        `json:"ca,omitempty"` // PEM of Site.TLS.CAFile, which workers may not see
	// Krb5Conf is the text of Site.Auth.Krb5Conf, for the same reason.
	Krb5Conf string         `json:"krb5_conf,omitempty"`
	Driver   string         `json:"driver"` // host:port of the driver's heartbeat, see Heartbeat.Address; "" = none
	Streams  []batch.Stream `json:"streams"`
}

// Trailer is the last row of a shard's stream: what became of each of its streams.
type Trailer struct {
	Shard    int       `json:"shard"`
	Events   int64     `json:"events"` // rows before this one
	Requests int64     `json:"requests"`
	Retries  int64     `json:"retries,omitempty"` // requests sent again
	Streams  []Outcome `json:"streams"`           // in the spec's order
	Failure  string    `json:"failure,omitempty"` // why the site could not be read to the end; Streams are right nevertheless
}

// Outcome is the part of a batch.Outcome that the driver does not know.
type Outcome struct {
	Through instant.Ticks `json:"through"`
	Events  int64         `json:"events"`
	Error   string        `json:"error,omitempty"`
}

// Runner runs shards on the workers of a cluster.
type Runner interface {
	// RunShards runs the shards, at most lanes of them at once, and writes what
	// they read to the folder, which exists. It fills in the specs' Driver. labels
	// has only those that are the same in every row. It returns the trailers of all
	// shards, checked and in order as by Complete, and the files that were written,
	// as their writer lists them.
	RunShards(ctx context.Context, folder stage.Folder, labels stage.Labels, specs []Spec, lanes int) ([]Trailer, []batch.File, error)
}
