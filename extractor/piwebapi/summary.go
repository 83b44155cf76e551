package piwebapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/callsize"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Count is how many events the server itself counts of a stream in (After, Until].
type Count struct {
	N   int64
	Err error // why the server has no count of this stream
}

// Counts asks the server how many events each stream has in its range, by
// event-weighted Count summaries. The result has the streams' order. The error is
// about all of them: it wraps ErrNotSupported if the server cannot count, and the
// caller should read a sample of the streams instead.
//
// Servers include both ends of a range, so the request begins one tick after After; a
// server that rounds bounds may count an event at After itself.
func (c *Client) Counts(ctx context.Context, streams []batch.Stream) ([]Count, error) {
	counts := make([]Count, len(streams))
	type timeRange struct{ after, until instant.Ticks }
	ranges := map[timeRange][]int{} // a count cannot be trimmed afterwards: only equal ranges share a call
	var order []timeRange
	for i, s := range streams {
		if s.After < s.Until {
			key := timeRange{s.After, s.Until}
			if ranges[key] == nil {
				order = append(order, key)
			}
			ranges[key] = append(ranges[key], i)
		}
	}
	k := &counting{Client: c, streams: streams, counts: counts}
	if len(order) > 0 && c.shared {
		if err := c.SignIn(ctx, streams[ranges[order[0]][0]]); err != nil {
			return nil, err
		}
	}
	group, inGroup := errgroup.WithContext(ctx)
	group.SetLimit(c.limiter.max)
	limits := c.sizer.limits()
	for _, key := range order {
		members := ranges[key]
		loads := make([]load, len(members))
		for i, m := range members {
			loads[i] = load{need: 1, urlBytes: len(webIDParameter(streams[m].WebID))}
		}
		start := 0
		for _, stop := range splitCalls(loads, c.urlBytes(summaryPath, summaryHead(streams[members[0]])), limits, c.limiter.max) {
			part := members[start:stop]
			start = stop
			group.Go(func() error {
				defer crash.Exit()
				return k.count(inGroup, part, false)
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := k.countAgain(ctx); err != nil {
		return nil, err
	}
	if k.counted.Load() == 0 && k.absent.Load() > 0 && k.refused.Load() == 0 {
		return nil, fmt.Errorf("%w: it answers, but counts no stream's events", ErrNotSupported)
	}
	return counts, nil
}

// counting is one Counts call.
type counting struct {
	*Client
	streams []batch.Stream
	counts  []Count
	counted atomic.Int64 // streams that the server counted
	refused atomic.Int64 // streams that it refused
	absent  atomic.Int64 // streams without a count in its answers
	futile  atomic.Int64 // calls that failed before any had succeeded
}

// futileCalls is how many calls may fail before any has succeeded until the server is
// to blame: more than the search for a bad stream in the largest call takes.
const futileCalls = 24

// countAgain retries, with the site's retry policy, the streams that failed while the
// server did: it counts others by now.
func (k *counting) countAgain(ctx context.Context) error {
	for m := range k.counts {
		var e *Error
		if k.counted.Load() == 0 || !errors.As(k.counts[m].Err, &e) || !e.Retryable {
			continue
		}
		k.counts[m].Err = nil
		if err := k.count(ctx, []int{m}, false); err != nil {
			return err
		}
	}
	return nil
}

// unableAfter is how many streams may be refused before any was counted, until the
// server is to blame.
const unableAfter = 8

const summaryPath = "/streamsets/summary"

func summaryHead(s batch.Stream) string {
	return "startTime=" + absolute(s.After+1) + "&endTime=" + absolute(s.Until) +
		"&summaryType=Count&calculationBasis=EventWeighted&" +
		"selectedFields=Items.WebId%3BItems.Name%3BItems.Items.Type%3BItems.Items.Value%3BItems.WebException%3BWebException" +
		webIDType(s.WebID)
}

// count counts some streams in one call, and by halves if that fails, until one
// stream is to blame. part means that members are such a half, which is tried once.
// An error ends the counting.
func (k *counting) count(ctx context.Context, members []int, part bool) error {
	first := k.streams[members[0]]
	var query strings.Builder
	query.WriteString(summaryHead(first))
	asked := make([]batch.Stream, len(members))
	for i, m := range members {
		asked[i] = k.streams[m]
		query.WriteString(webIDParameter(asked[i].WebID))
	}
	var numbers []int64
	var failures []error
	r := request{path: summaryPath, query: query.String(), work: float64(len(members) + callsize.MinStreams),
		read: func(body io.Reader, _ http.Header) (err error) {
			numbers, failures, err = decode.SummaryCounts(body, asked)
			return err
		}}
	var e *Error
	var err error
	if part {
		if e = k.get(ctx, r); e != nil {
			err = e
		}
	} else {
		err = k.persist(ctx, r)
	}
	switch {
	case err == nil:
		for i, m := range members {
			k.counts[m].N, k.counts[m].Err = numbers[i], failures[i]
			if failures[i] == nil {
				k.counted.Add(1)
			} else {
				k.absent.Add(1)
			}
		}
		return nil
	case !errors.As(err, &e) || endsAll(e.Kind) || e.Kind == Unreachable || e.Kind == NotJSON:
		return err
	case e.Status == http.StatusNotImplemented || e.Status == http.StatusMethodNotAllowed || strings.Contains(e.Message, "No HTTP resource"):
		return unable(e)
	case e.Retryable && k.counted.Load() == 0 && k.futile.Add(1) > futileCalls:
		return err
	case len(members) > 1:
		half := len(members) / 2
		if err := k.count(ctx, members[:half], true); err != nil {
			return err
		}
		return k.count(ctx, members[half:], true)
	}
	k.counts[members[0]].Err = e
	refused := k.refused.Add(1)
	if k.counted.Load() == 0 && !e.Retryable && (refused >= unableAfter || refused == int64(len(k.streams))) {
		return unable(e)
	}
	return nil
}

func unable(e *Error) error { return fmt.Errorf("%w: counting events: %w", ErrNotSupported, e) }
