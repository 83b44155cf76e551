package simulator_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// sink is a response writer that throws everything away.
type sink struct {
	header http.Header
	bytes  int64
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(b []byte) (int, error) { s.bytes += int64(len(b)); return len(b), nil }

// BenchmarkRecorded is the server's own cost of an event, without a network.
func BenchmarkRecorded(b *testing.B) {
	mixes := map[string]map[simulator.PointType]int{"mixed": nil}
	for t := simulator.Float16; t <= simulator.Blob; t++ {
		mixes[t.String()] = map[simulator.PointType]int{t: 1}
	}
	for _, name := range []string{"mixed", "Float16", "Float32", "Float64", "Int16", "Int32", "Digital", "String", "Timestamp", "Blob"} {
		b.Run(name, func(b *testing.B) {
			s := simulator.New(simulator.Options{Tags: 40, Uniform: time.Second, PointTypes: mixes[name], Clock: clock(noon)})
			path := fmt.Sprintf("%s/streamsets/recorded?startTime=%s&endTime=%s&maxCount=3700&%s&selectedFields=%s", simulator.Root,
				noon-instant.Hour+1, noon, webIDs(s.Oracle().Tags()...),
				"Items.WebId;Items.Items.Timestamp;Items.Items.Value;Items.Items.Good;Items.Items.Questionable;Items.Items.Substituted;Items.Items.Annotated")
			r, err := http.NewRequest(http.MethodGet, "http://simulator"+path, nil)
			require.NoError(b, err)
			r.RequestURI = path
			w := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				s.ServeHTTP(w, r)
			}
			events := float64(s.Stats().Events)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
			b.ReportMetric(float64(w.bytes)/events, "bytes/event")
		})
	}
}

// BenchmarkLoopback is the same over a connection, with a client that only reads.
func BenchmarkLoopback(b *testing.B) {
	s := simulator.New(simulator.Options{Tags: 40, Uniform: time.Second, Clock: clock(noon)})
	root, err := s.Start("127.0.0.1:0")
	require.NoError(b, err)
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	address := fmt.Sprintf("%s/streamsets/recorded?startTime=%s&endTime=%s&maxCount=3700&%s", root, noon-instant.Hour+1, noon,
		webIDs(s.Oracle().Tags()...))
	for b.Loop() {
		r, err := client.Get(address)
		require.NoError(b, err)
		require.Equal(b, 200, r.StatusCode)
		_, err = io.Copy(io.Discard, r.Body)
		require.NoError(b, err)
		require.NoError(b, r.Body.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.Stats().Events), "ns/event")
}

// BenchmarkPoints is the cost of a point in the list of a million.
func BenchmarkPoints(b *testing.B) {
	for name, fields := range map[string]string{"all-fields": "",
		"discovery-fields": "&selectedFields=Items.WebId;Items.Id;Items.Name;Items.Descriptor;Items.PointType;Items.DigitalSetName;Items.EngineeringUnits;Items.Future"} {
		b.Run(name, func(b *testing.B) {
			s := simulator.New(simulator.Options{Tags: 1_000_000, Clock: clock(noon)})
			var servers struct {
				Items []struct {
					WebID string `json:"WebId"`
				}
			}
			get(s, "/dataservers").into(b, &servers)
			r, err := http.NewRequest(http.MethodGet, "http://simulator"+simulator.Root+"/dataservers/"+servers.Items[0].WebID+"/points?startIndex=500000"+fields, nil)
			require.NoError(b, err)
			w := &sink{header: http.Header{}}
			n := 0
			for b.Loop() {
				s.ServeHTTP(w, r)
				n += 1000
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/point")
		})
	}
}
