package auth

import (
	"net/http"
	"time"
)

// SetClock replaces the clock of a Kerberos transport.
func SetClock(transport http.RoundTripper, now func() time.Time) {
	transport.(*siteTransport).next.(*kerberos).now = now
}
