package task_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/extractor/stage"
	"github.com/bundlegen/bundlegen/extractor/stage/stagetest"
)

// cluster is a shard.Runner whose workers are goroutines.
type cluster struct {
	getenv func(string) (string, bool)
	spoil  func(i int, a *arrival) // what goes wrong with shard i's stream; may be nil

	mu     sync.Mutex
	asked  [][]shard.Spec // of each call
	lanes  []int
	failed error // of RunShards, instead of running anything
}

// arrival is what arrives of a shard's stream.
type arrival struct {
	stream   io.Reader
	write    func(*columns.Batch) error
	unclosed bool // it was cut between two messages, before the trailer row
}

// RunShards implements shard.Runner.
func (c *cluster) RunShards(ctx context.Context, folder stage.Folder, labels stage.Labels, specs []shard.Spec,
	lanes int) ([]shard.Trailer, []batch.File, error) {
	c.mu.Lock()
	c.asked, c.lanes = append(c.asked, specs), append(c.lanes, lanes)
	c.mu.Unlock()
	if c.failed != nil {
		return nil, nil, c.failed
	}
	heartbeat, err := shard.StartHeartbeat("127.0.0.1")
	if err != nil {
		return nil, nil, err
	}
	defer heartbeat.Close()
	var g errgroup.Group
	trailers, rows := []string{}, int64(0)
	files := make([]batch.File, len(specs))
	for lane := range lanes {
		g.Go(func() error {
			for i := lane; i < len(specs); i += lanes {
				s := specs[i]
				s.Driver = heartbeat.Address()
				trailer, n, file, err := c.run(ctx, folder, labels, s, i)
				if err != nil {
					return err
				}
				files[i] = file
				c.mu.Lock()
				rows += n
				if trailer != "" {
					trailers = append(trailers, trailer)
				}
				c.mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	all, err := shard.Complete(specs, trailers, rows)
	return all, files, err
}

// run runs one shard, and writes what comes of its stream to a file of its own.
func (c *cluster) run(ctx context.Context, folder stage.Folder, labels stage.Labels, s shard.Spec, i int) (trailer string, rows int64,
	written batch.File, err error) {
	line, err := s.Encode()
	if err != nil {
		return "", 0, written, err
	}
	all := shard.Labels(labels, s.Streams)
	file, err := folder.CreateWriter(i, all)
	if err != nil {
		return "", 0, written, err
	}
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := shard.Run(ctx, bytes.NewReader(line), w, c.getenv, slog.New(slog.DiscardHandler))
		ended <- errors.Join(err, w.CloseWithError(err))
	}()
	a := arrival{stream: r, write: file.Write}
	if c.spoil != nil {
		c.spoil(i, &a)
	}
	trailer, err = stagetest.ReadArrow(a.stream, all, a.write)
	_ = r.Close() // the shard of a stream that was cut ends by it
	if died := <-ended; err == nil {
		err = died
	}
	if a.unclosed {
		trailer = ""
	}
	err = errors.Join(err, file.Close())
	return trailer, file.Events(), file.File(), err
}
