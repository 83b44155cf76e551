package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Complete gives the closings of all shards, in order, from the closing rows of
// a folder, in any order, and the number of its other rows. It is an error when
// a shard has no closing row or several, when one does not say what became of
// each of its streams, and when the folder does not have as many events as they
// say: nothing of the folder counts then.
func Complete(specs []Spec, closings []string, rows int64) ([]Closing, error) {
	out, seen := make([]Closing, len(specs)), make([]bool, len(specs))
	place := make(map[int]int, len(specs))
	for i := range specs {
		place[specs[i].Shard] = i
	}
	events := int64(0)
	for _, text := range closings {
		c, err := readClosing(text)
		if err != nil {
			return nil, err
		}
		i, known := place[c.Shard]
		if !known || seen[i] {
			return nil, fmt.Errorf("the folder has a closing of shard %d that is one too many", c.Shard)
		}
		if err := c.check(&specs[i]); err != nil {
			return nil, fmt.Errorf("the closing of shard %d: %w", c.Shard, err)
		}
		out[i], seen[i], events = c, true, events+c.Events
	}
	for i := range specs {
		if !seen[i] {
			return nil, fmt.Errorf("shard %d did not come to its end: its stream is torn", specs[i].Shard)
		}
	}
	if events != rows {
		return nil, fmt.Errorf("the folder has %d events, and the shards wrote %d", rows, events)
	}
	return out, nil
}

func readClosing(text string) (c Closing, err error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil || decoder.More() {
		return c, fmt.Errorf("the folder has a closing that is none: %.200q", text)
	}
	return c, nil
}

// check holds a closing against its shard's spec.
func (c *Closing) check(s *Spec) error {
	if len(c.Streams) != len(s.Streams) {
		return fmt.Errorf("it tells of %d streams, and there are %d", len(c.Streams), len(s.Streams))
	}
	events := int64(0)
	for i := range c.Streams {
		o, asked := &c.Streams[i], &s.Streams[i]
		switch {
		case o.Through < asked.After || o.Through > asked.Until || o.Events < 0:
			return fmt.Errorf("%q was read up to %s with %d events, and asked for was (%s, %s]", asked.Name, o.Through, o.Events, asked.After, asked.Until)
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
