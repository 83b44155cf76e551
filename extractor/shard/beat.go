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

// beatEvery is how often a driver gives a sign of life: often enough that a busy
// machine may miss several within Silence.
const beatEvery = time.Second

// Beat is a driver's sign of life to its shards: a byte a second on every
// connection. It is safe for concurrent use.
type Beat struct {
	listener net.Listener
	every    time.Duration
	closed   chan struct{}
	once     sync.Once
	running  sync.WaitGroup
}

// StartBeat listens on a free TCP port of a host: the address at which the
// workers reach this machine, and no other. What connects is told nothing but
// that this process lives.
func StartBeat(host string) (*Beat, error) { return startBeat(host, beatEvery) }

func startBeat(host string, every time.Duration) (*Beat, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("listen for the shards: %w", err),
			"%s has to be an address of this machine, at which workers reach it", host)
	}
	b := &Beat{listener: listener, every: every, closed: make(chan struct{})}
	b.running.Go(func() {
		defer crash.Exit()
		b.accept()
	})
	return b, nil
}

// Address is the host:port to which shards connect: Spec.Driver.
func (b *Beat) Address() string { return b.listener.Addr().String() }

// Close ends the beat: shards that are at work end, too.
func (b *Beat) Close() error {
	var err error
	b.once.Do(func() {
		close(b.closed)
		err = b.listener.Close()
	})
	b.running.Wait()
	return err
}

func (b *Beat) accept() {
	for {
		conn, err := b.listener.Accept()
		switch {
		case err == nil:
			b.running.Go(func() {
				defer crash.Exit()
				b.beat(conn)
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

func (b *Beat) beat(conn net.Conn) {
	defer conn.Close()
	for {
		// A write blocks only after thousands of bytes that nobody takes.
		if err := conn.SetWriteDeadline(time.Now().Add(b.every)); err != nil {
			return
		}
		if _, err := conn.Write([]byte{'.'}); err != nil || !b.sleep() {
			return
		}
	}
}

// sleep waits for the next beat; false when there is none.
func (b *Beat) sleep() bool {
	t := time.NewTimer(b.every)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.closed:
		return false
	}
}

// errSilent says that a shard's driver gives no sign of life.
var errSilent = errors.New("the driver gives no sign of life")

// follow gives a context that ends with errSilent when the driver at an address
// gives no sign of life for so long. stop gives up what follow holds. An address
// at which nobody answers within that time is an error.
func follow(ctx context.Context, address string, silence time.Duration) (followed context.Context, stop func(), err error) {
	conn, err := (&net.Dialer{Timeout: silence}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errSilent, err)
	}
	followed, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer crash.Exit()
		cancel(listen(conn, silence))
	}()
	return followed, func() {
		_ = conn.Close() // wakes the listener
		<-ended
	}, nil
}

// listen reads beats until one is missing.
func listen(conn net.Conn, silence time.Duration) error {
	var beats [64]byte
	for {
		if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return fmt.Errorf("%w: %w", errSilent, err)
		}
		if _, err := conn.Read(beats[:]); errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it has ended", errSilent)
		} else if err != nil {
			return fmt.Errorf("%w: %w", errSilent, err)
		}
	}
}
