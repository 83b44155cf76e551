//go:build cgo

package main

import (
	"context"
	"errors"

	"github.com/bundlegen/bundlegen/extractor/cli"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// engines are those that this build has. DuckDB is a C library: the static
// binary in the wheel is built without cgo, and so without it.
var engines = map[string]cli.OpenEngine{
	"spark": openSpark,
	"duckdb": func(ctx context.Context, p manifest.Parameters, own cli.GlobalFlags) (engine.Engine, error) {
		lake, err := duckdb.Open(ctx, own.Data, p.SchemaPrefix)
		if err != nil {
			return nil, err
		}
		return closing{lake.Engine(p.Pipeline), lake}, nil
	},
}

// closing closes the lake with its engine: this process has only the one.
type closing struct {
	engine.Engine
	lake *duckdb.Lake
}

func (c closing) Close() error { return errors.Join(c.Engine.Close(), c.lake.Close()) }
