package piwebapi

import (
	"strconv"
	"time"
)

// Retry is a failed request that is sent again, or, where State is "", the first
// answer after such requests. It is told as it happens, to whoever waits.
type Retry struct {
	Site    string
	State   string        // what the last try met, in a word or two: 503, timeout
	Attempt int           // the number of the next try; 0 where no policy counts them
	Of      int           // the tries that the policy allows; 0 as above
	Wait    time.Duration // until the next try, at most
}

// Retries returns how many failed requests the Client has sent again, in whole or in parts.
func (c *Client) Retries() int64 { return c.retries.Load() }

// again counts a failed request that is sent again, and tells of it.
func (c *Client) again(err *Error, attempt, of int, wait time.Duration) {
	c.retries.Add(1)
	c.troubled.Store(true)
	if c.retrying != nil {
		c.retrying(Retry{Site: c.site, State: err.state(), Attempt: attempt, Of: of, Wait: wait})
	}
}

// works tells of the first answer, and of the first after a request was sent again.
func (c *Client) works() {
	if c.troubled.Load() && c.troubled.CompareAndSwap(true, false) && c.retrying != nil {
		c.retrying(Retry{Site: c.site})
	}
}

// state returns the error in a word or two.
func (e *Error) state() string {
	if e.Status >= 400 {
		return strconv.Itoa(e.Status)
	}
	return e.Kind.String()
}
