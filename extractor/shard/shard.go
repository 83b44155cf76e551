// Package shard is a part of a partition's tags, read by a process of its own
// on one of the cluster's workers.
//
// The driver splits a batch's ranges by weight into shards of at most
// tags_per_worker tags, and Spark starts `pi-extractor shard` for each where a
// processor is free. The process reads its Spec, one line of JSON, from standard
// input and writes one Arrow stream to standard output: the events, and in the
// very last row its Closing. A stream without a closing row is torn, whatever
// the process's exit code says, and nothing of it counts.
//
// A shard is bound to its driver: it ends when its output pipe is dead, and when
// the driver's beat has been silent for Silence. One that Spark started again
// (PI_EXTRACTOR_RETRY=1 in its environment) waits for Respite before its first
// request, so that its forerunner's share of the site's budget is free by then.
//
// A site that fails as a whole, and a shard that lacks what it needs for it, such
// as a secret, is the closing's Failure: the stream is whole, and Spark's trying
// again would help nobody. The process fails only where its stream is of no use.
package shard

import (
	"context"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// Silence is how long a shard goes on without a sign of life from its driver.
const Silence = 10 * time.Second

// Respite is how long a retry waits before its first request: longer than Silence.
const Respite = 15 * time.Second

// SpecVersion is the version of Spec; a process refuses another one, since the
// wheel on the workers is the driver's own.
const SpecVersion = 1

// Spec is what a shard reads. It holds no secret: those are in the worker's environment.
type Spec struct {
	Version int           `json:"version"`
	Shard   int           `json:"shard"`        // 0, 1, 2 … within the batch
	Site    manifest.Site `json:"site"`         // Limits are the shard's share of the budget
	CA      string        `json:"ca,omitempty"` // PEM of Site.TLS.CAFile, which workers may not see
	// Krb5Conf is the text of Site.Auth.Krb5Conf, for the same reason.
	Krb5Conf string         `json:"krb5_conf,omitempty"`
	Driver   string         `json:"driver"` // host:port of the driver's beat, see Beat.Address; "" = none
	Streams  []batch.Stream `json:"streams"`
}

// Closing is the last row of a shard's stream: what became of each of its streams.
type Closing struct {
	Shard    int       `json:"shard"`
	Events   int64     `json:"events"` // rows before this one
	Requests int64     `json:"requests"`
	Retries  int64     `json:"retries,omitempty"` // requests that were sent again
	Streams  []Outcome `json:"streams"`           // in the spec's order
	Failure  string    `json:"failure,omitempty"` // why the site could not be read to the end; what Streams say is right nevertheless
}

// Outcome is what a Closing holds of a batch.Outcome: what the driver does not know.
type Outcome struct {
	Through instant.Ticks `json:"through"`
	Events  int64         `json:"events"`
	Error   string        `json:"error,omitempty"`
}

// Runner runs shards on the workers of a cluster.
type Runner interface {
	// RunShards runs the shards, at most lanes of them at once, and writes what
	// they read to the folder, which exists. It returns the closing of every shard,
	// in order, as Complete does: an error where any is missing or says less than
	// the folder has; and the files that were written, as their writer lists them,
	// not as they are seen from here. Of labels it is given those that are the same
	// in every row. It fills in the specs' Driver.
	RunShards(ctx context.Context, folder stage.Folder, labels stage.Labels, specs []Spec, lanes int) ([]Closing, []batch.File, error)
}
