package auth

import (
	"net/http"
	"time"
)

// SetClock gives a Kerberos transport another clock.
func SetClock(transport http.RoundTripper, now func() time.Time) {
	transport.(*siteTransport).next.(*kerberos).now = now
}
