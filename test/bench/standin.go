package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// shardCommand is how the launcher starts a shard. With it this program is a
// stand-in for pi-extractor, which has no PI to wait for.
const shardCommand = "shard"

// standIn writes what a shard would that reads an event a second of each of its
// streams, from columns in memory: what is left of a shard without HTTP and decoding.
func standIn(stdin io.Reader, stdout io.Writer) error {
	line, err := bufio.NewReader(stdin).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the shard's spec: %w", err)
	}
	var spec shard.Spec
	if err := json.Unmarshal(line, &spec); err != nil {
		return fmt.Errorf("the shard's spec: %w", err)
	}
	out, err := stage.NewArrowWriter(stdout, shard.Labels(stage.Labels{}, spec.Streams))
	if err != nil {
		return err
	}
	closing := shard.Trailer{Shard: spec.Shard}
	var b columns.Batch
	for i, s := range spec.Streams {
		b.Reset()
		fill(&b, int32(i), s, rand.New(rand.NewPCG(uint64(spec.Shard), uint64(i))))
		if err := out.Write(&b); err != nil {
			return err
		}
		closing.Streams = append(closing.Streams, shard.Outcome{Through: s.Until, Events: int64(b.Len())})
	}
	closing.Events = out.Events()
	text, err := json.Marshal(closing)
	return errors.Join(err, out.Close(string(text)))
}

// states are the values of the tags that have no numbers, one in textShare.
var states = []string{"OPEN", "CLOSED", "OPENING", "CLOSING", "FAULT"}

const textShare = 8

// fill appends a stream's events, some milliseconds off the second.
func fill(b *columns.Batch, stream int32, s batch.Stream, r *rand.Rand) {
	value := 100 * r.Float64()
	for at := s.After + 1; at+instant.Second <= s.Until+1; at += instant.Second {
		ticks := int64(at + instant.Ticks(r.Int64N(1000))*instant.Millisecond)
		if stream%textShare == 0 {
			code := r.Int32N(int32(len(states)))
			b.Append(stream, ticks, 0, b.Strings.ID([]byte(states[code])), code, columns.HasText|columns.HasCode|columns.Good)
			continue
		}
		value += r.NormFloat64()
		b.Append(stream, ticks, value, 0, 0, columns.HasValue|columns.Good)
	}
}
