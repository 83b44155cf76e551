package simulator

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// openSet resolves the streams of a set. Under the quirk WholeSetFails, one that
// is bad fails the call.
func (c *call) openSet() ([]stream, *problem) {
	ids := c.q.all("webid")
	if len(ids) == 0 {
		return nil, badRequest("At least one 'webId' is required.")
	}
	streams := make([]stream, len(ids))
	for i, id := range ids {
		streams[i] = c.open(id)
	}
	if p := c.read(len(ids)); p != nil {
		return nil, p
	}
	if c.archive.quirks.has(WholeSetFails) {
		for i := range streams {
			if streams[i].bad != nil {
				return nil, streams[i].bad
			}
		}
	}
	if c.archive.quirks.has(ShuffledStreamSets) {
		salt := mix(uint64(len(ids)))
		slices.SortStableFunc(streams, func(a, b stream) int {
			return cmp.Compare(mix(salt^uint64(a.p.index)), mix(salt^uint64(b.p.index)))
		})
	}
	return streams, nil
}

// writeStreams writes the answer of a stream set; each writes an item's fields other than
// its name.
func (c *call) writeStreams(streams []stream, each func(o *object, s *stream)) *problem {
	kind, asked, p := c.askedWebIDType()
	if p != nil {
		return p
	}
	c.status207(streams)
	o := c.out.object(c.sel)
	o.links()
	o.list("Items", len(streams), func(i int, sel *selection) {
		s := &streams[i]
		item := c.out.object(sel)
		if s.bad != nil {
			hidden := *s.bad
			hidden.hidden = true
			item.str("WebId", s.asked)
			json := hidden.appendJSON(nil)
			item.raw("WebException", string(json[len(`{"WebException":`):len(json)-1]))
			item.end()
			return
		}
		answered := kind
		if !asked && !c.archive.quirks.has(AnswersDefaultWebID) {
			answered = s.kind
		}
		id := string(c.ids.appendPoint(nil, answered, s.p.index, s.name))
		item.str("WebId", id)
		item.str("Name", s.name)
		item.str("Path", `\\`+c.o.DataServer+`\`+s.name)
		each(&item, s)
		item.links("Source", c.base+"/points/"+id)
		item.end()
	})
	o.end()
	return nil
}

func (c *call) setRecorded() *problem {
	times, p := c.recordedSpan()
	if p != nil {
		return p
	}
	streams, p := c.openSet()
	if p != nil {
		return p
	}
	if p := c.checkItems(streams, times); p != nil {
		return p
	}
	var layout *itemLayout
	return c.writeStreams(streams, func(o *object, s *stream) {
		if sel, ok := o.key("Items"); ok {
			if layout == nil {
				layout = c.layout(sel)
			}
			c.out.buf = append(c.out.buf, '[')
			c.writeItems(layout, s, times)
			c.out.buf = append(c.out.buf, ']')
		}
		o.str("UnitsAbbreviation", "")
	})
}

func (c *call) setValue() *problem {
	t, p := c.valueTime()
	if p != nil {
		return p
	}
	return c.setValues(func(*profile) instant.Ticks { return t })
}

func (c *call) setEnd() *problem {
	return c.setValues(c.end)
}

func (c *call) setValues(at func(p *profile) instant.Ticks) *problem {
	streams, p := c.openSet()
	if p != nil {
		return p
	}
	if p := c.checkCap("webId", len(streams)); p != nil {
		return p
	}
	return c.writeStreams(streams, func(o *object, s *stream) {
		if sel, ok := o.key("Value"); ok {
			c.writeValue(c.layout(sel), &s.p, at(&s.p))
		}
	})
}

// linkTo is the call's own URL with one parameter replaced.
func (c *call) linkTo(name, value string) string {
	q := url.Values{}
	for _, kv := range c.q {
		q.Add(kv.name, kv.value)
	}
	q.Set(name, value)
	return c.uri + "?" + q.Encode()
}
