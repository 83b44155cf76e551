package cli

import (
	"context"
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/bundlegen/bundlegen/extractor/shard"
)

// shardCommand is how the launcher starts a shard on a worker.
const shardCommand = "shard"

// A worker runs a shard for each of its processors next to Spark's own memory, so
// memory is collected eagerly rather than late, and the process stays under 256 MiB.
const (
	shardGC     = 50        // percent
	shardMemory = 160 << 20 // bytes, from which on memory is collected at any cost
)

// runShard runs a shard: its spec from stdin, its stream to stdout, all words to stderr.
func runShard(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) (string, bool)) int {
	if set, _ := getenv("GOGC"); set == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(shardGC))
	}
	if set, _ := getenv("GOMEMLIMIT"); set == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(shardMemory))
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return ended(ctx, shard.Run(ctx, stdin, stdout, getenv, log), stderr)
}
