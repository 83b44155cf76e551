package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// sameName compares names as PI does, without regard to case.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// points lists a page of points.
func (c *call) points() *problem {
	if p := c.ids.readServer(c.path[0]); p != nil {
		return p
	}
	start, p := c.q.count("startindex", "startIndex", 0)
	if p != nil {
		return p
	}
	limit, p := c.q.count("maxcount", "maxCount", 1000)
	if p != nil {
		return p
	}
	if p := c.checkCap("maxCount", limit); p != nil {
		return p
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	if gone := c.work(0); gone != nil {
		return gone
	}
	if limit > pageThatFails && c.archive.quirks.has(LargePagesFail) {
		return &problem{status: http.StatusGatewayTimeout, html: true, text: "<html><body><h1>504 Gateway Time-out</h1></body></html>\r\n"}
	}
	if huge, endless := c.faults.page(); huge || endless {
		c.inventedPoints(start, limit, huge)
		return nil
	}
	filter, source := c.q.get("namefilter"), c.q.get("sourcefilter")
	if c.archive.quirks.has(NoSourceFilter) {
		source = ""
	}
	links := !c.archive.quirks.has(EmptyPointsLinks)
	page, total := c.page(filter, source, start, limit, links)
	for _, index := range page {
		if c.d.faults[index] == FaultUnlisted {
			return &problem{status: http.StatusInternalServerError, errors: []string{"The attributes of the PI Point '" + c.d.name(index) +
				"' could not be read."}}
		}
	}
	o := c.out.object(c.sel)
	if links {
		o.links(c.pageLinks(start, limit, total)...)
	} else {
		o.links()
	}
	o.list("Items", len(page), func(i int, sel *selection) { c.writePoint(kind, page[i], sel) })
	o.end()
	return nil
}

// page returns the indexes of a page of points, and how many match when that is asked for.
func (c *call) page(filter, source string, start, limit int, counting bool) (page []int, total int) {
	n := c.d.len()
	if source == "" && (filter == "" || filter == "*") {
		for i := start; i < n && len(page) < limit; i++ {
			page = append(page, c.d.at(i))
		}
		return page, n
	}
	if source == "" && !strings.ContainsAny(filter, "*?") {
		if index, ok := c.d.find(filter); ok {
			total = 1
			if start == 0 && limit > 0 {
				page = append(page, index)
			}
		}
		return page, total
	}
	filter = strings.ToUpper(cmp.Or(filter, "*"))
	for i := 0; i < n && (counting || len(page) < limit); i++ {
		index := c.d.at(i)
		if !inventory.Wildcard(filter, strings.ToUpper(c.d.name(index))) || source != "" && !strings.EqualFold(source, pointSource(index)) {
			continue
		}
		if total >= start && len(page) < limit {
			page = append(page, index)
		}
		total++
	}
	return page, total
}

// pointSource is where the point with this index gets its events from.
func pointSource(index int) string { return [...]string{"OPC", "R", "Lab"}[index%3] }

func (c *call) pageLinks(start, limit, total int) []string {
	at := func(start int) string { return c.linkTo("startindex", strconv.Itoa(start)) }
	links := []string{"First", at(0)}
	if start > 0 {
		links = append(links, "Previous", at(max(start-limit, 0)))
	}
	if start+limit < total && limit > 0 {
		links = append(links, "Next", at(start+limit))
	}
	if limit > 0 {
		links = append(links, "Last", at(max(total-1, 0)/limit*limit))
	}
	return links
}

func (c *call) writePoint(kind WebIDType, index int, sel *selection) {
	p, name := c.archive.profile(index), c.d.name(index)
	id := string(c.ids.appendPoint(nil, kind, index, name))
	o := c.out.object(sel)
	o.str("WebId", id)
	fault := c.d.faults[index]
	if fault == FaultOddID {
		o.str("Id", "number "+strconv.Itoa(index+1))
	} else {
		o.raw("Id", strconv.Itoa(index+1))
	}
	switch {
	case fault == FaultOddName:
		o.raw("Name", `{"Value":`+strconv.Itoa(index)+`}`)
	case index%10 == 3:
		o.str("Name", name+c.echo)
	default:
		o.str("Name", name)
	}
	o.str("Path", `\\`+c.o.DataServer+`\`+name)
	o.str("Descriptor", c.text(index, p.descriptor())+c.echo)
	o.str("PointClass", "classic")
	o.str("PointType", p.typ.String())
	o.str("DigitalSetName", p.setName())
	o.str("EngineeringUnits", c.text(index, p.units()))
	o.raw("Span", "100.0")
	o.raw("Zero", "0.0")
	o.boolean("Step", !p.typ.float())
	if fault == FaultOddFuture {
		o.str("Future", "perhaps")
	} else {
		o.boolean("Future", p.future)
	}
	o.raw("DisplayDigits", "-5")
	if _, wanted := sel.in("Links"); wanted {
		self, stream := c.base+"/points/"+id, c.base+"/streams/"+id
		o.links("Self", self, "DataServer", c.base+"/dataservers/"+string(c.ids.appendServer(nil, kind)),
			"Attributes", self+"/attributes", "InterpolatedData", stream+"/interpolated",
			"RecordedData", stream+"/recorded", "PlotData", stream+"/plot", "SummaryData", stream+"/summary",
			"Value", stream+"/value", "EndValue", stream+"/end")
	}
	o.end()
}

// text is a descriptive text of a point, under the quirk OddTexts with a character
// in it that is no text.
func (c *call) text(index int, s string) string {
	if !c.archive.quirks.has(OddTexts) || index%10 != 4 {
		return s
	}
	odd := [...]string{"\t", "\r\n", "\x00", "\x7f", "\u0085"}
	return s + odd[index/10%len(odd)] + "2nd"
}

// resolve finds the point of a WebID: its index, and the kind of the id.
func (c *call) resolve(id string) (int, WebIDType, *problem) {
	t, p := c.ids.readPoint(id)
	if p != nil {
		return 0, "", p
	}
	if t.kind == PathOnly {
		index, p := c.byPath(`\\` + t.path)
		return index, t.kind, p
	}
	if !c.d.exists(t.index) {
		return 0, "", notFound("PI Point not found '%d'.", t.index+1)
	}
	return t.index, t.kind, nil
}

// byPath finds the point of a path \\server\name.
func (c *call) byPath(path string) (int, *problem) {
	rest, ok := strings.CutPrefix(path, `\\`)
	server, name, hasName := strings.Cut(rest, `\`)
	if !ok || !hasName || name == "" {
		return 0, badRequest("The path '%s' is not the path of a PI Point.", path)
	}
	if !sameName(server, c.o.DataServer) {
		return 0, notFound("PI Data Archive not found '%s'.", server)
	}
	index, ok := c.d.find(name)
	if !ok {
		return 0, notFound("PI Point not found '%s'.", name)
	}
	return index, nil
}

func (c *call) pointByPath() *problem {
	path := c.q.get("path")
	if path == "" {
		return badRequest("The parameter 'path' is required.")
	}
	index, p := c.byPath(path)
	if p != nil {
		return p
	}
	return c.answerPoint(index)
}

func (c *call) point() *problem {
	index, _, p := c.resolve(c.path[0])
	if p != nil {
		return p
	}
	return c.answerPoint(index)
}

func (c *call) answerPoint(index int) *problem {
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	c.writePoint(kind, index, c.sel)
	return nil
}

// pointsMultiple answers for each id or path on its own.
func (c *call) pointsMultiple() *problem {
	ids, paths := c.q.all("webid"), c.q.all("path")
	if len(ids)+len(paths) == 0 {
		return badRequest("At least one 'webId' or 'path' is required.")
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	type found struct {
		index int
		p     *problem
	}
	asked := append(append([]string(nil), ids...), paths...)
	answers := make([]found, len(asked))
	for i, id := range asked {
		if i < len(ids) {
			answers[i].index, _, answers[i].p = c.resolve(id)
		} else {
			answers[i].index, answers[i].p = c.byPath(id)
		}
		if answers[i].p != nil {
			c.out.status = http.StatusMultiStatus
		}
	}
	o := c.out.object(c.sel)
	o.links()
	o.list("Items", len(asked), func(i int, sel *selection) {
		item := c.out.object(sel)
		item.str("Identifier", asked[i])
		if i < len(ids) {
			item.str("IdentifierType", "WebId")
		} else {
			item.str("IdentifierType", "Path")
		}
		if answers[i].p == nil {
			if sel, ok := item.key("Object"); ok {
				c.writePoint(kind, answers[i].index, sel)
			}
		} else {
			item.raw("Exception", fmt.Sprintf(`{"Errors":%s}`, appendStrings(nil, answers[i].p.errors)))
		}
		item.end()
	})
	o.end()
	return nil
}

// pointAttributes lists what the PI Data Archive keeps about a point.
func (c *call) pointAttributes() *problem {
	index, _, problem := c.resolve(c.path[0])
	if problem != nil {
		return problem
	}
	p, name := c.archive.profile(index), c.d.name(index)
	quoted := func(s string) string { return string(appendJSONString(nil, s)) }
	list := []struct{ name, json string }{
		{"archiving", "1"},
		{"compressing", "1"},
		{"creationdate", quoted(p.created.String())},
		{"descriptor", quoted(p.descriptor())},
		{"digitalset", quoted(p.setName())},
		{"engunits", quoted(p.units())},
		{"future", strconv.FormatBool(p.future)},
		{"pointid", strconv.Itoa(index + 1)},
		{"pointsource", quoted(pointSource(index))},
		{"pointtype", quoted(p.typ.String())},
		{"scan", "1"},
		{"span", "100.0"},
		{"step", strconv.FormatBool(!p.typ.float())},
		{"tag", quoted(name)},
		{"zero", "0.0"},
	}
	if only := c.q.all("name"); len(only) > 0 {
		kept := list[:0]
		for _, a := range list {
			for _, n := range only {
				if sameName(n, a.name) {
					kept = append(kept, a)
				}
			}
		}
		list = kept
	}
	o := c.out.object(c.sel)
	o.links()
	o.list("Items", len(list), func(i int, sel *selection) {
		a := c.out.object(sel)
		a.str("Name", list[i].name)
		a.raw("Value", list[i].json)
		a.links("Self", c.base+"/points/"+c.path[0]+"/attributes/"+list[i].name, "Point", c.base+"/points/"+c.path[0])
		a.end()
	})
	o.end()
	return nil
}
