package decode_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/columns"
	"github.com/bundlegen/bundlegen/extractor/decode"
)

// kind is a sort of point, with the value of its n-th event.
type kind struct {
	name   string
	step   time.Duration
	value  func(r *rand.Rand, n int) string
	always bool // Good, always
}

var kinds = []kind{
	{"Float64", 1500 * time.Millisecond, func(r *rand.Rand, n int) string {
		return strconv.FormatFloat(50+50*math.Sin(float64(n)/100)+r.Float64(), 'g', -1, 64)
	}, true},
	{"Float32 widened", 1500 * time.Millisecond, func(r *rand.Rand, n int) string {
		return strconv.FormatFloat(float64(float32(100*r.Float64())), 'g', 17, 64)
	}, true},
	{"Float32 short", time.Second, func(r *rand.Rand, n int) string {
		return strconv.FormatFloat(100*r.Float64(), 'g', 7, 32)
	}, true},
	{"Int32", time.Second, func(r *rand.Rand, n int) string { return strconv.Itoa(r.IntN(100000)) }, true},
	{"Digital", 7 * time.Second, func(r *rand.Rand, n int) string {
		code := r.IntN(4)
		return fmt.Sprintf(`{"Name":"%s","Value":%d,"IsSystem":false}`, []string{"Open", "Closed", "Opening", "Closing"}[code], code)
	}, true},
	{"String few", 7 * time.Second, func(r *rand.Rand, n int) string { return fmt.Sprintf(`"recipe %d loaded"`, r.IntN(20)) }, true},
	{"String all different", 7 * time.Second, func(r *rand.Rand, n int) string { return fmt.Sprintf(`"batch %d released by operator %d"`, n, n%7) }, true},
	{"Mixed quality and states", 1500 * time.Millisecond, func(r *rand.Rand, n int) string {
		if r.IntN(10) == 0 {
			return `{"Name":"I/O Timeout","Value":246,"IsSystem":true}`
		}
		return strconv.FormatFloat(100*r.Float64(), 'g', -1, 64)
	}, false},
}

// writeItems prints n items of a kind, as PI Web API does, different for each seed.
func writeItems(body *bytes.Buffer, k kind, seed, n int) {
	r := rand.New(rand.NewPCG(1, uint64(seed)))
	at := time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		at = at.Add(k.step + time.Duration(r.IntN(1e7)*100)*time.Nanosecond)
		good := k.always || r.IntN(5) > 0
		fmt.Fprintf(body, `{"Timestamp":"%s","Value":%s,"UnitsAbbreviation":"","Good":%t,"Questionable":%t,"Substituted":false,`+
			`"Annotated":false}`,
			at.Format("2006-01-02T15:04:05.9999999Z07:00"), k.value(r, seed*n+i), good, !k.always && r.IntN(10) == 0)
	}
}

// The bodies of the benchmarks: as many events as a call brings at most.
const (
	benchStreams = 20
	benchEvents  = 1000
)

func benchBody(k kind) (body []byte, all []batch.Stream) {
	var out bytes.Buffer
	out.WriteString(`{"Links":{},"Items":[`)
	for i := range benchStreams {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"WebId":"F1DP%04d","Name":"Tag %d","Path":"\\\\PISRV1\\Tag %[2]d","Items":[`, i, i)
		writeItems(&out, k, i, benchEvents)
		out.WriteString(`],"UnitsAbbreviation":"","Links":{}}`)
		all = append(all, batch.Stream{Index: int32(i), WebID: fmt.Sprintf("F1DP%04d", i), After: -forever, Until: forever})
	}
	out.WriteString(`]}`)
	return out.Bytes(), all
}

// report returns the figures of one event.
func report(b *testing.B, body []byte) {
	b.ReportAllocs()
	events := float64(b.N) * benchStreams * benchEvents
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
	b.ReportMetric(float64(len(body))/benchStreams/benchEvents, "B/event")
}

func BenchmarkStreamSet(b *testing.B) {
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			body, all := benchBody(k)
			d, r, got := decode.New(), bytes.NewReader(nil), make([]decode.Result, len(all))
			var batch columns.Batch
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				batch.Reset()
				r.Reset(body)
				if err := d.StreamSet(r, all, 0, &batch, got); err != nil {
					b.Fatal(err)
				}
			}
			if batch.Len() != benchStreams*benchEvents {
				b.Fatal(batch.Len(), "events")
			}
			report(b, body)
		})
	}
}

// The same bodies with the standard library, into structs.
func BenchmarkEncodingJSON(b *testing.B) {
	type set struct {
		Items []struct {
			WebID string `json:"WebId"`
			Items []struct {
				Timestamp                                  time.Time
				Value                                      any
				UnitsAbbreviation                          string
				Good, Questionable, Substituted, Annotated bool
			}
		}
	}
	for _, k := range kinds {
		b.Run(k.name, func(b *testing.B) {
			body, _ := benchBody(k)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				var s set
				if err := json.NewDecoder(bytes.NewReader(body)).Decode(&s); err != nil {
					b.Fatal(err)
				}
			}
			report(b, body)
		})
	}
}
