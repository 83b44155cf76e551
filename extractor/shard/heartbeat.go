package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// heartbeatInterval is how often a driver sends a heartbeat: often enough that a busy
// machine may miss several within HeartbeatTimeout.
const heartbeatInterval = time.Second

// Heartbeat is a driver's sign of life to its shards: a byte a second on every
// connection. It is safe for concurrent use.
type Heartbeat struct {
	listener net.Listener
	interval time.Duration
	closed   chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// StartHeartbeat listens on a free TCP port of a host: the address at which the
// workers reach this machine, and no other. What connects is told nothing but
// that this process lives.
func StartHeartbeat(host string) (*Heartbeat, error) { return startHeartbeat(host, heartbeatInterval) }

func startHeartbeat(host string, every time.Duration) (*Heartbeat, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("listen for the shards: %w", err),
			"%s has to be an address of this machine, at which workers reach it", host)
	}
	b := &Heartbeat{listener: listener, interval: every, closed: make(chan struct{})}
	b.running.Go(func() {
		defer crash.Exit()
		b.accept()
	})
	return b, nil
}

// Address is the host:port to which shards connect: Spec.Driver.
func (b *Heartbeat) Address() string { return b.listener.Addr().String() }

// Close ends the heartbeat: shards that are running end, too.
func (b *Heartbeat) Close() error {
	var err error
	b.once.Do(func() {
		close(b.closed)
		err = b.listener.Close()
	})
	b.running.Wait()
	return err
}

func (b *Heartbeat) accept() {
	for {
		conn, err := b.listener.Accept()
		switch {
		case err == nil:
			b.running.Go(func() {
				defer crash.Exit()
				b.send(conn)
			})
		case errors.Is(err, net.ErrClosed):
			return
		default: // too many files are open, for instance: later there may be fewer
			if !b.sleep() {
				return
			}
		}
	}
}

func (b *Heartbeat) send(conn net.Conn) {
	defer conn.Close()
	for {
		// A write blocks only after thousands of bytes that nobody takes.
		if err := conn.SetWriteDeadline(time.Now().Add(b.interval)); err != nil {
			return
		}
		if _, err := conn.Write([]byte{'.'}); err != nil || !b.sleep() {
			return
		}
	}
}

// sleep waits for the next heartbeat. It reports false when there is none.
func (b *Heartbeat) sleep() bool {
	t := time.NewTimer(b.interval)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.closed:
		return false
	}
}

// errDriverLost is why a shard ends whose driver sends no heartbeat.
var errDriverLost = errors.New("the driver gives no sign of life")

// follow returns a context that ends with errDriverLost when the driver at an
// address has sent no heartbeat within the timeout. stop frees its resources. It is
// an error when nobody answers at the address within the timeout.
func follow(ctx context.Context, address string, timeout time.Duration) (followed context.Context, stop func(), err error) {
	conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDriverLost, err)
	}
	followed, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer crash.Exit()
		cancel(watchHeartbeat(conn, timeout))
	}()
	return followed, func() {
		_ = conn.Close() // wakes the listener
		<-ended
	}, nil
}

// watchHeartbeat reads heartbeats until one is missing.
func watchHeartbeat(conn net.Conn, timeout time.Duration) error {
	var beats [64]byte
	for {
		if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			return fmt.Errorf("%w: %w", errDriverLost, err)
		}
		if _, err := conn.Read(beats[:]); errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it has ended", errDriverLost)
		} else if err != nil {
			return fmt.Errorf("%w: %w", errDriverLost, err)
		}
	}
}
