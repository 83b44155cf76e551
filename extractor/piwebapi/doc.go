// Package piwebapi is a client for one PI Web API server. It reads lists, streams
// and stream sets, paged without loss and within a budget of requests, and sorts
// errors into those that are worth another try and those that are final.
//
// A reading (Client.Recorded) plans calls from cursors, one for each stream
// (sizer.go, cursors.go), sends them as an AIMD limiter allows (limiter.go), splits
// those that fail until one stream is to blame, and gives the site up when a circuit
// breaker opens (breaker.go). Access keeps a refused password from being sent
// again, Memory and Lists bound what is held.
package piwebapi
