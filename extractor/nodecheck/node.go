package nodecheck

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/bundlegen/bundlegen/extractor/shard"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/program"
)

// describe is the proof that the program runs here.
func describe() Finding {
	host, _ := os.Hostname() // for people only
	return Finding{Check: "node", State: OK, Figures: map[string]any{
		"version": program.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH, "processors": runtime.NumCPU(), "host": host,
	}}
}

// patience is how long a worker may take to reach the driver: a shard waits as long.
const patience = shard.HeartbeatTimeout

// heartbeat listens as a driver does for its shards, until standard input ends.
func heartbeat(ctx context.Context, n Node, args []string) error {
	b, err := shard.StartHeartbeat(args[0])
	if err != nil {
		return n.tell(Finding{Check: "heartbeat", Subject: args[0], State: Fail, Detail: err.Error()})
	}
	defer b.Close() // nothing is lost by it
	if err := n.tell(Finding{Check: "heartbeat", Subject: b.Address(), State: OK}); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer crash.Exit()
		_, _ = io.Copy(io.Discard, n.Stdin) // its end is all that matters
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}

// reach connects to a driver as a shard does, and waits for its first sign of life.
func reach(ctx context.Context, n Node, args []string) error {
	start := time.Now()
	f := Finding{Check: "reach", Subject: args[0], State: OK}
	if err := firstHeartbeat(ctx, args[0]); err != nil {
		f.State, f.Detail = Fail, err.Error()
	}
	f.Figures = map[string]any{"milliseconds": time.Since(start).Milliseconds()}
	return n.tell(f)
}

func firstHeartbeat(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}
