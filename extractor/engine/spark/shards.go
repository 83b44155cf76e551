package spark

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

var _ shard.Runner = (*Engine)(nil)

// RunShards implements shard.Runner: through mapInArrow, so that Spark writes
// what the shards read, and workers need no access to storage.
func (e *Engine) RunShards(ctx context.Context, folder stage.Folder, labels stage.Labels, specs []shard.Spec, lanes int) ([]shard.Closing, error) {
	beat, err := shard.StartBeat(e.session.Hello().Driver)
	if err != nil {
		return nil, fmt.Errorf("sign of life for the workers: %w", err)
	}
	defer beat.Close()
	texts := make([]string, len(specs))
	for i, s := range specs {
		s.Driver = beat.Address()
		text, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	run := sharding{Specs: texts, Lanes: lanes, Schema: stage.ArrowSchema(), Select: stage.ArrowSelect(labels), Path: folder.DataDir()}
	if err := e.session.call(ctx, request{Verb: "shards", sharding: &run}, nil); err != nil {
		return nil, fmt.Errorf("shards on the workers: %w", err)
	}
	closings, rows, err := e.closings(ctx, folder)
	if err != nil {
		return nil, err
	}
	return shard.Complete(specs, closings, rows)
}

// closings reads what the shards said in their last rows, and counts the others.
func (e *Engine) closings(ctx context.Context, folder stage.Folder) (closings []string, events int64, err error) {
	from := " FROM parquet." + tables.SparkName(folder.DataDir()) + " WHERE `closing` IS "
	err = e.query(ctx, "SELECT `closing`, 0L"+from+"NOT NULL UNION ALL SELECT NULL, count(*)"+from+"NULL", nil, func(r row) error {
		var closing *string
		var n int64
		err := r.scan(&closing, &n)
		if closing != nil {
			closings = append(closings, *closing)
		}
		events += n
		return err
	})
	return closings, events, err
}
