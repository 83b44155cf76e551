package piwebapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Weights differ, so the count of failures may step over the bound at which the site
// is probed: an absent answer, then a timeout.
func TestBreakerProbesOnceWhenTheBoundIsCrossed(t *testing.T) {
	timeout, absent := &Error{Kind: Timeout, Retryable: true}, &Error{Kind: Unreachable, Retryable: true}
	b := &breaker{connections: 8, timeout: time.Minute}
	for i, step := range []struct {
		err   *Error
		probe bool
	}{{timeout, false}, {timeout, false}, {absent, false}, {timeout, true}, {timeout, false}} {
		down, probe := b.failed(step.err)
		assert.False(t, down, i)
		assert.Equal(t, step.probe, probe, i)
	}
	b.succeeded()
	for i := range 3 {
		_, probe := b.failed(timeout)
		assert.Equal(t, i == 2, probe, "a success begins a new count")
	}
}

func TestBreakerOpensSoonerWhenNothingAnswers(t *testing.T) {
	for _, c := range []struct {
		err      *Error
		failures int
	}{
		{&Error{Kind: Server, Status: 500, Retryable: true}, 14},
		{&Error{Kind: Server, Status: 503, Retryable: true}, 4},
		{&Error{Kind: NotJSON}, 4},
		{&Error{Kind: Unreachable, Retryable: true}, 4},
	} {
		b := &breaker{connections: 2}
		n, down := 0, false
		for ; !down; n++ {
			down, _ = b.failed(c.err)
		}
		assert.Equal(t, c.failures, n, c.err.Error())
	}
	down, probe := (&breaker{}).failed(&Error{Kind: Forbidden})
	assert.False(t, down || probe, "a stream that is refused says nothing of the site")
}
