package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Complete returns the trailers of all shards, in order, from the trailers of a
// folder, in any order, and the number of its events. It is an error if a shard has
// no trailer or several, if a trailer lacks the outcome of a stream, or if the
// folder does not have as many events as the trailers count: nothing of the folder
// counts then.
func Complete(specs []Spec, trailers []string, rows int64) ([]Trailer, error) {
	out, seen := make([]Trailer, len(specs)), make([]bool, len(specs))
	place := make(map[int]int, len(specs))
	for i := range specs {
		place[specs[i].Shard] = i
	}
	events := int64(0)
	for _, text := range trailers {
		c, err := readTrailer(text)
		if err != nil {
			return nil, err
		}
		i, known := place[c.Shard]
		if !known || seen[i] {
			return nil, fmt.Errorf("the folder has a second trailer of shard %d, or no such shard", c.Shard)
		}
		if err := c.check(&specs[i]); err != nil {
			return nil, fmt.Errorf("the trailer of shard %d: %w", c.Shard, err)
		}
		out[i], seen[i], events = c, true, events+c.Events
	}
	for i := range specs {
		if !seen[i] {
			return nil, fmt.Errorf("shard %d did not end: its stream is torn", specs[i].Shard)
		}
	}
	if events != rows {
		return nil, fmt.Errorf("the folder has %d events, and the shards wrote %d", rows, events)
	}
	return out, nil
}

func readTrailer(text string) (c Trailer, err error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil || decoder.More() {
		return c, fmt.Errorf("the folder has a malformed trailer: %.200q", text)
	}
	return c, nil
}

// check compares a trailer with its shard's spec.
func (c *Trailer) check(s *Spec) error {
	if len(c.Streams) != len(s.Streams) {
		return fmt.Errorf("it has %d streams, and the spec %d", len(c.Streams), len(s.Streams))
	}
	events := int64(0)
	for i := range c.Streams {
		o, asked := &c.Streams[i], &s.Streams[i]
		switch {
		case o.Through < asked.After || o.Through > asked.Until || o.Events < 0:
			return fmt.Errorf("%q was read up to %s with %d events, and the request was for (%s, %s]",
				asked.Name, o.Through, o.Events, asked.After, asked.Until)
		case o.Error == "" && o.Through != asked.Until:
			return fmt.Errorf("%q was read up to %s only, without a reason", asked.Name, o.Through)
		}
		events += o.Events
	}
	if events != c.Events || c.Requests < 0 {
		return fmt.Errorf("its streams have %d events, and %d were written", events, c.Events)
	}
	return nil
}
