package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bundlegen/bundlegen/internal/crash"
)

// batchCap is how many requests a batch may have under the quirk BatchCap.
const batchCap = 500

// batchRequest is one request of a batch, as the client sends it.
type batchRequest struct {
	Method          string
	Resource        string
	RequestTemplate *struct{ Resource string }
	Parameters      []string
	ParentIds       []string
}

// batchAnswer is the answer to a request of a batch.
type batchAnswer struct {
	status  int
	header  string // JSON
	content []byte // JSON; nothing is absent
	events  int64
	parsed  any // content, once a child has asked for it
}

const jsonHeader = `{"Content-Type":"application/json; charset=utf-8"}`

func (p *problem) batchAnswer() *batchAnswer {
	a := &batchAnswer{status: p.status, header: jsonHeader, content: p.appendJSON(nil)}
	if p.hidden {
		a.status = http.StatusOK
	}
	return a
}

// batch runs the requests of a batch: those whose parents are done at once, then
// their children.
func (c *call) batch() *problem {
	c.worked = true // its parts take the time
	var requests map[string]batchRequest
	if err := json.Unmarshal(c.post, &requests); err != nil {
		return badRequest("The request is not a valid batch: %s", err)
	}
	if p := c.checkBatch(requests); p != nil {
		return p
	}
	answers := make(map[string]*batchAnswer, len(requests))
	for len(answers) < len(requests) {
		c.batchRound(requests, answers)
	}
	if c.archive.quirks.has(BatchMultiStatus) {
		c.out.status = http.StatusMultiStatus
	}
	b := c.out
	b.buf = append(b.buf, '{')
	for i, id := range sortedKeys(requests) {
		if i > 0 {
			b.buf = append(b.buf, ',')
		}
		b.buf = appendJSONString(b.buf, id)
		b.buf = append(b.buf, ':')
		b.buf = answers[id].append(b.buf)
		b.events += answers[id].events
		if !b.spill() {
			return nil
		}
	}
	b.buf = append(b.buf, '}')
	return nil
}

func sortedKeys(requests map[string]batchRequest) []string {
	ids := make([]string, 0, len(requests))
	for id := range requests {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (a *batchAnswer) append(dst []byte) []byte {
	dst = append(dst, `{"Status":`...)
	dst = strconv.AppendInt(dst, int64(a.status), 10)
	dst = append(dst, `,"Headers":`...)
	dst = append(dst, a.header...)
	if a.content != nil {
		dst = append(dst, `,"Content":`...)
		dst = append(dst, a.content...)
	}
	return append(dst, '}')
}

// checkBatch refuses a batch as a whole.
func (c *call) checkBatch(requests map[string]batchRequest) *problem {
	q := c.archive.quirks
	if q.has(BatchCap) && len(requests) > batchCap {
		return badRequest("The batch has %d requests, which is greater than the maximum allowed (%d).", len(requests), batchCap)
	}
	for id, r := range requests {
		if r.RequestTemplate != nil && !q.has(RequestTemplates) {
			return badRequest("The request '%s' has an unknown member 'RequestTemplate'.", id)
		}
		if (r.RequestTemplate == nil) == (r.Resource == "") {
			return badRequest("The request '%s' needs either a Resource or a RequestTemplate.", id)
		}
		for _, parent := range r.ParentIds {
			if _, ok := requests[parent]; !ok {
				return badRequest("The request '%s' names an unknown parent '%s'.", id, parent)
			}
		}
	}
	done := map[string]bool{}
	for len(done) < len(requests) {
		before := len(done)
		for id, r := range requests {
			if !slices.ContainsFunc(r.ParentIds, func(parent string) bool { return !done[parent] }) {
				done[id] = true
			}
		}
		if len(done) == before {
			return badRequest("The requests of the batch depend on each other in a circle.")
		}
	}
	return nil
}

// batchRound runs all requests at once whose parents are done.
func (c *call) batchRound(requests map[string]batchRequest, answers map[string]*batchAnswer) {
	var ready []string
	for id, r := range requests {
		if answers[id] == nil && !slices.ContainsFunc(r.ParentIds, func(parent string) bool { return answers[parent] == nil }) {
			ready = append(ready, id)
		}
	}
	results := make([]*batchAnswer, len(ready))
	var wg sync.WaitGroup
	for i, id := range ready {
		run := c.prepare(requests[id], answers)
		wg.Go(func() {
			defer crash.Exit()
			results[i] = run()
		})
	}
	wg.Wait()
	for i, id := range ready {
		answers[id] = results[i]
	}
}

// prepare resolves a request's parameters and returns what is to be run.
func (c *call) prepare(r batchRequest, answers map[string]*batchAnswer) func() *batchAnswer {
	given := func(a *batchAnswer) func() *batchAnswer { return func() *batchAnswer { return a } }
	for _, parent := range r.ParentIds {
		if answers[parent].status >= 400 {
			return given(c.orphan(parent))
		}
	}
	values := make([][]string, len(r.Parameters))
	n := 1
	for i, path := range r.Parameters {
		found, err := jsonPath(path, answers)
		switch {
		case err != nil:
			return given(badRequest("%s", err).batchAnswer())
		case r.RequestTemplate == nil && len(found) != 1:
			return given(badRequest("The parameter '%s' has %d values where one is needed.", path, len(found)).batchAnswer())
		}
		values[i] = found
		if len(found) != 1 {
			n = len(found)
		}
	}
	if r.RequestTemplate == nil {
		return func() *batchAnswer { return c.part(r.Method, fill(r.Resource, values, 0)) }
	}
	for i, v := range values {
		if len(v) != 1 && len(v) != n {
			return given(badRequest("The parameter '%s' has %d values, another one %d.", r.Parameters[i], len(v), n).batchAnswer())
		}
	}
	return func() *batchAnswer { return c.template(r, values, n) }
}

// orphan is the answer to a request whose parent failed.
func (c *call) orphan(parent string) *batchAnswer {
	text := "The request was not executed because its parent request '" + parent + "' failed."
	a := &batchAnswer{status: http.StatusConflict, header: "{}"}
	if c.archive.quirks.has(BatchMultiStatus) {
		a.content = appendJSONString(nil, text)
	} else {
		a.content = (&problem{errors: []string{text}}).appendJSON(nil)
	}
	return a
}

// template runs a request once for each of n values.
func (c *call) template(r batchRequest, values [][]string, n int) *batchAnswer {
	items := make([]*batchAnswer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer crash.Exit()
			items[i] = c.part(r.Method, fill(r.RequestTemplate.Resource, values, i))
		})
	}
	wg.Wait()
	all := &batchAnswer{status: http.StatusMultiStatus, header: "{}"}
	all.content = fmt.Appendf(nil, `{"Total":%d,"Items":[`, n)
	for i, item := range items {
		if i > 0 {
			all.content = append(all.content, ',')
		}
		all.content = item.append(all.content)
		all.events += item.events
	}
	all.content = append(all.content, "]}"...)
	return all
}

// fill puts the i-th values in place of {0}, {1}, …
func fill(resource string, values [][]string, i int) string {
	for k, v := range values {
		resource = strings.ReplaceAll(resource, "{"+strconv.Itoa(k)+"}", v[min(i, len(v)-1)])
	}
	return resource
}

// part runs one request. Of its URL the host is ignored.
func (c *call) part(method, resource string) *batchAnswer {
	if c.archive.quirks.has(RateLimitInBatch) {
		if p := c.limit(c.client); p != nil {
			return p.batchAnswer()
		}
	}
	u, err := url.Parse(resource)
	if err != nil || !u.IsAbs() {
		return badRequest("The resource '%s' is not an absolute URL.", resource).batchAnswer()
	}
	part := &call{Server: c.Server, ctx: c.ctx, client: c.client, method: strings.ToUpper(method), base: c.base,
		out: &body{status: http.StatusOK}}
	if rt, _ := c.findRoute(u.EscapedPath()); rt.post {
		return badRequest("A batch may not hold a batch.").batchAnswer()
	}
	if p := part.run(u.EscapedPath(), u.RawQuery); p != nil {
		return p.batchAnswer()
	}
	return &batchAnswer{status: part.out.status, header: jsonHeader, content: part.out.buf, events: part.out.events}
}
