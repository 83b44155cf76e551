package shard

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// maxSpec is the size of the longest spec in bytes: far more than a thousand tags
// with the longest names take.
const maxSpec = 64 << 20

// Encode returns the spec as the line of JSON that a process reads, with the line's
// end.
func (s Spec) Encode() ([]byte, error) {
	s.Version = SpecVersion
	line, err := json.Marshal(s)
	return append(line, '\n'), err
}

// readSpec reads a spec, strictly. It reads one line and no further: the writer may
// keep the pipe open.
func readSpec(r io.Reader) (Spec, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxSpec)).ReadBytes('\n')
	switch {
	case err == io.EOF && len(line) == maxSpec:
		return Spec{}, fmt.Errorf("it is longer than %d MiB", maxSpec>>20)
	case err == io.EOF && len(line) == 0:
		return Spec{}, errors.New("standard input is empty")
	case err != nil && err != io.EOF:
		return Spec{}, err
	}
	// The version first: another version's spec may not parse as this one's.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return Spec{}, err
	}
	if head.Version != SpecVersion {
		return Spec{}, diag.WithHint(fmt.Errorf("it has version %d, and this program knows %d", head.Version, SpecVersion),
			"the driver and its workers run different wheels: restart the cluster")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	var s Spec
	if err := decoder.Decode(&s); err != nil {
		return Spec{}, err
	}
	return s, s.check()
}

// check returns an error if the spec cannot be read by a shard.
func (s *Spec) check() error {
	if s.Shard < 0 || len(s.Streams) == 0 {
		return fmt.Errorf("it is of shard %d with %d streams", s.Shard, len(s.Streams))
	}
	for i := range s.Streams {
		if t := &s.Streams[i]; t.After > t.Until {
			return fmt.Errorf("its stream %d, %q, has no range: (%s, %s]", i, t.Name, t.After, t.Until)
		}
	}
	return nil
}

// Labels adds the labels of each stream to those that are the same for all.
func Labels(common stage.Labels, streams []batch.Stream) stage.Labels {
	common.WebID, common.Name, common.Units = make([]string, len(streams)), make([]string, len(streams)), make([]string, len(streams))
	for i := range streams {
		common.WebID[i], common.Name[i], common.Units[i] = streams[i].WebID, streams[i].Name, streams[i].Units
	}
	return common
}
