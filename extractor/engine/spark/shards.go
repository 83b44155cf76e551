package spark

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

var _ shard.Runner = (*Engine)(nil)

// RunShards implements shard.Runner: through mapInArrow, so that Spark writes
// what the shards read, and workers need no access to storage.
func (e *Engine) RunShards(ctx context.Context, folder stage.Folder, labels stage.Labels, specs []shard.Spec, lanes int) ([]shard.Trailer, []batch.File, error) {
	beat, err := shard.StartHeartbeat(e.session.Hello().Driver)
	if err != nil {
		return nil, nil, fmt.Errorf("sign of life for the workers: %w", err)
	}
	defer beat.Close()
	texts := make([]string, len(specs))
	for i, s := range specs {
		s.Driver = beat.Address()
		text, err := json.Marshal(s)
		if err != nil {
			return nil, nil, err
		}
		texts[i] = string(text)
	}
	run := sharding{Specs: texts, Lanes: lanes, Schema: stage.ArrowSchema(), Select: stage.ArrowSelect(labels), Path: folder.DataDir()}
	if err := e.session.call(ctx, request{Verb: "shards", sharding: &run}, nil); err != nil {
		return nil, nil, fmt.Errorf("shards on the workers: %w", err)
	}
	wrote, err := e.written(ctx, folder)
	if err != nil {
		return nil, nil, err
	}
	closings, err := shard.Complete(specs, wrote.closings, wrote.events)
	if err != nil {
		return nil, nil, err
	}
	return closings, wrote.files, e.mounted(ctx, folder, wrote.files)
}

// wrote is what Spark has in a batch's folder.
type wrote struct {
	closings []string // what the shards said in their last rows
	events   int64    // the other rows
	files    []batch.File
}

// written asks Spark, which wrote the folder, what is in it.
func (e *Engine) written(ctx context.Context, folder stage.Folder) (w wrote, err error) {
	data := asWritten(folder.DataDir())
	from := " FROM parquet." + data + " WHERE `closing` IS "
	err = e.query(ctx, "SELECT `closing`, 0L, CAST(NULL AS STRING), 0L"+from+"NOT NULL UNION ALL SELECT NULL, count(*), NULL, 0L"+from+"NULL"+
		" UNION ALL SELECT NULL, 0L, `path`, `length` FROM binaryFile."+data, nil, func(r row) error {
		var closing, file *string
		var n, size int64
		err := r.scan(&closing, &n, &file, &size)
		switch {
		case closing != nil:
			w.closings = append(w.closings, *closing)
		case file != nil:
			w.files = append(w.files, batch.File{Name: path.Join(path.Base(folder.DataDir()), path.Base(*file)), Size: size})
		}
		w.events += n
		return err
	})
	slices.SortFunc(w.files, func(a, b batch.File) int { return strings.Compare(a.Name, b.Name) })
	return w, err
}

// mostLooks is how often this machine's mount is looked at until it shows what
// Spark wrote: it may be seconds behind.
const mostLooks = 6

// mounted waits until this machine sees the files that Spark wrote, and no other.
func (e *Engine) mounted(ctx context.Context, folder stage.Folder, files []batch.File) error {
	for look := 1; ; look++ {
		err := folder.Check(&batch.Header{Version: batch.HeaderVersion, Files: files})
		if err == nil || look == mostLooks {
			return err
		}
		if err := e.pause(ctx, look); err != nil {
			return err
		}
	}
}

// asWritten quotes a path of the staging folder for a statement that reads it.
// Spark expands patterns in what it reads, and not in what it writes. Below the
// path that is named no folder has a name like a=b, and above it none counts: no
// column comes from a path.
func asWritten(path string) string {
	return tables.SparkName(noPattern.Replace(path))
}

var noPattern = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`)
