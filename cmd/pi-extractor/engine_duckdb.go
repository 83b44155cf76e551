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

// engines are the engines of this build. DuckDB is a C library: the static binary in
// the wheel is built without cgo, and so without it.
var engines = map[string]cli.OpenEngine{
	"spark": openSpark,
	"duckdb": func(ctx context.Context, p manifest.Parameters, own cli.GlobalFlags) (engine.Engine, error) {
		lake, err := duckdb.Open(ctx, own.Data, p.SchemaPrefix)
		if err != nil {
			return nil, err
		}
		return ownedEngine{lake.Engine(p.Pipeline), lake}, nil
	},
}

// ownedEngine closes the database with its only engine.
type ownedEngine struct {
	engine.Engine
	lake *duckdb.Lake
}

func (c ownedEngine) Close() error { return errors.Join(c.Engine.Close(), c.lake.Close()) }
