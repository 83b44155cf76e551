package localrun

import (
	"context"
	"errors"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
)

// What the tables of local runs know of a tag.
type (
	TagHistory = duckdb.TagHistory
	TagKey     = engine.Key
)

// ErrInUse is the error of a data folder that a run, or another program, has open.
var ErrInUse = engine.ErrInUse

// Histories gives what the tables of a data folder know of tags of a pipeline:
// of those with the keys, and of all that ever were called name. It reads what
// DuckDB holds, writes nothing, and fails while a run has the folder.
func Histories(ctx context.Context, data, pipeline, name string, keys []TagKey) (found []TagHistory, err error) {
	lake, err := openToRead(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	return lake.Engine(pipeline).Histories(ctx, name, keys)
}
