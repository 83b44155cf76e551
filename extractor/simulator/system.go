package simulator

import (
	"net/http"
	"strconv"
)

// Version is the product's version that /system reports.
const Version = "1.13.0.6518"

func (c *call) root() *problem {
	o := c.out.object(c.sel)
	o.links("Self", c.base+"/", "AssetServers", c.base+"/assetservers", "DataServers", c.base+"/dataservers",
		"Search", c.base+"/search", "System", c.base+"/system")
	o.end()
	return nil
}

func (c *call) system() *problem {
	o := c.out.object(c.sel)
	o.str("ProductTitle", "PI Web API (simulator)")
	o.str("ProductVersion", Version)
	o.links("Self", c.base+"/system", "CacheInstances", c.base+"/system/cacheinstances",
		"Configuration", c.base+"/system/configuration", "UserInfo", c.base+"/system/userinfo",
		"Versions", c.base+"/system/versions", "Status", c.base+"/system/status")
	o.end()
	return nil
}

// adminOnly answers endpoints for the administrators' group, which has no members.
func (c *call) adminOnly() *problem {
	p := denied()
	p.status = http.StatusForbidden
	return p
}

func (c *call) assetServers() *problem {
	o := c.out.object(c.sel)
	o.links()
	o.list("Items", 0, nil)
	o.end()
	return nil
}

func (c *call) dataServers() *problem {
	name, path := c.q.get("name"), c.q.get("path")
	if name == "" && path == "" {
		kind, p := c.webIDType()
		if p != nil {
			return p
		}
		o := c.out.object(c.sel)
		o.links("First", c.base+"/dataservers", "Last", c.base+"/dataservers")
		o.list("Items", 1, func(_ int, sel *selection) { c.writeServer(kind, sel) })
		o.end()
		return nil
	}
	if name != "" && !sameName(name, c.o.DataServer) {
		return notFound("PI Data Archive not found '%s'.", name)
	}
	if path != "" && !sameName(path, `\\PIServers[`+c.o.DataServer+`]`) && !sameName(path, `\\PIServer[`+c.o.DataServer+`]`) {
		return notFound("PI Data Archive not found '%s'.", path)
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	c.writeServer(kind, c.sel)
	return nil
}

func (c *call) dataServer() *problem {
	if p := c.ids.readServer(c.path[0]); p != nil {
		return p
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	c.writeServer(kind, c.sel)
	return nil
}

func (c *call) writeServer(kind WebIDType, sel *selection) {
	id := string(c.ids.appendServer(nil, kind))
	self := c.base + "/dataservers/" + id
	o := c.out.object(sel)
	o.str("WebId", id)
	o.str("Id", guidString(c.ids.guid))
	o.str("Name", c.o.DataServer)
	o.str("Path", `\\PIServers[`+c.o.DataServer+`]`)
	o.boolean("IsConnected", !c.archive.quirks.has(NotConnected))
	o.str("ServerVersion", "3.4.445.688")
	shows := c.now
	if c.o.ServerTime != nil {
		shows = c.o.ServerTime()
	}
	o.str("ServerTime", shows.String())
	o.links("Self", self, "Points", self+"/points", "EnumerationSets", self+"/enumerationsets")
	o.end()
}

// webIDType reads the parameter webIdType.
func (c *call) webIDType() (WebIDType, *problem) {
	kind, _, p := c.askedWebIDType()
	return kind, p
}

// askedWebIDType also reports whether the call has the parameter.
func (c *call) askedWebIDType() (kind WebIDType, asked bool, p *problem) {
	text := c.q.get("webidtype")
	if text == "" || c.archive.quirks.has(WebIDTypeIgnored) {
		return c.ids.kind, false, nil
	}
	kind, err := ParseWebIDType(text)
	if err != nil {
		return "", true, badRequest("The value '%s' of parameter 'webIdType' is not valid.", text)
	}
	return kind, true, nil
}

func (c *call) enumerationSets() *problem {
	if p := c.ids.readServer(c.path[0]); p != nil {
		return p
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	o := c.out.object(c.sel)
	o.links()
	o.list("Items", len(allSets()), func(i int, sel *selection) { c.writeSet(kind, i, sel) })
	o.end()
	return nil
}

func (c *call) enumerationSet() *problem {
	set, p := c.ids.readSet(c.path[0])
	if p != nil {
		return p
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	c.writeSet(kind, set, c.sel)
	return nil
}

func (c *call) writeSet(kind WebIDType, set int, sel *selection) {
	s := allSets()[set]
	id := string(c.ids.appendSet(nil, kind, set, -1))
	self := c.base + "/enumerationsets/" + id
	o := c.out.object(sel)
	o.str("WebId", id)
	o.raw("Id", strconv.Itoa(set+1))
	o.str("Name", s.name)
	o.str("Description", "")
	o.str("Path", `\\PIServers[`+c.o.DataServer+`]\EnumerationSets[`+s.name+`]`)
	o.links("Self", self, "DataServer", c.base+"/dataservers/"+string(c.ids.appendServer(nil, kind)), "Values", self+"/enumerationvalues")
	o.end()
}

func (c *call) enumerationValues() *problem {
	set, p := c.ids.readSet(c.path[0])
	if p != nil {
		return p
	}
	kind, p := c.webIDType()
	if p != nil {
		return p
	}
	s := allSets()[set]
	o := c.out.object(c.sel)
	o.links()
	o.list("Items", len(s.states), func(i int, sel *selection) {
		v := c.out.object(sel)
		id := string(c.ids.appendSet(nil, kind, set, i))
		v.str("WebId", id)
		v.raw("Id", strconv.Itoa(i+1))
		v.str("Name", s.states[i].Name+c.echo)
		v.str("Description", "")
		v.raw("Value", strconv.Itoa(int(s.states[i].Value)))
		v.str("Path", `\\PIServers[`+c.o.DataServer+`]\EnumerationSets[`+s.name+`]\`+s.states[i].Name)
		v.links("Self", c.base+"/enumerationvalues/"+id)
		v.end()
	})
	o.end()
	return nil
}
