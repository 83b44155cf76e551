package plan

import (
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Kinds of change.
const (
	Add    = "+"
	Remove = "-"
	Change = "~"
)

// Changes is what differs between the earlier bundle and a plan.
type Changes struct {
	First    bool `json:"first"`    // there is no earlier bundle: everything is added
	Settings bool `json:"settings"` // pipeline.yml says something else than when the earlier bundle was made

	// Keys says what, in order of key; none when First, and where the earlier
	// bundle is of a version that did not record its settings.
	Keys []SettingChange `json:"settings_changed,omitempty"`

	Added   int `json:"added"`   // tags that no partition had
	Removed int `json:"removed"` // tags that no partition has any more
	Moved   int `json:"moved"`   // tags in another partition than before
	Renamed int `json:"renamed"` // tags with the same point id under another name; may have moved too
	Edited  int `json:"edited"`  // tags of which something else changed: units, type, WebID, rate …

	Balance []Balance `json:"balance"` // of each tier of the plan

	Partitions []PartitionChange `json:"partitions"` // in order of id; only those that change
	Tags       []TagChange       `json:"tags"`       // none when First; in order of partition and name, then those removed
}

// PartitionChange is what happens to one partition.
type PartitionChange struct {
	Kind    string `json:"kind"` // + - ~
	ID      int    `json:"partition_id"`
	Site    string `json:"site"`
	Tier    string `json:"tier"`
	Before  int    `json:"tags_before"`
	After   int    `json:"tags_after"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	In      int    `json:"moved_in"`
	Out     int    `json:"moved_out"`
	Renamed int    `json:"renamed"`
	Edited  int    `json:"edited"`
}

// TagChange is what happens to one tag. From and To are partition ids; -1: none.
type TagChange struct {
	Kind   string `json:"kind"` // + - ~
	Site   string `json:"site"`
	Tag    string `json:"tag"`
	Was    string `json:"was,omitempty"` // its name before, where that differs
	From   int    `json:"from"`
	To     int    `json:"to"`
	Edited bool   `json:"edited,omitempty"`
}

// SettingChange is a key of pipeline.yml whose value is another one. A value is
// "" where the key is not set.
type SettingChange struct {
	Kind   string `json:"kind"` // + - ~
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// backfillKey is the setting that says what a first run reads.
const backfillKey = "extract.backfill"

// FirstRun reports whether a first run's forecast is news: there is no earlier
// bundle, or a first run reads another range than before.
func (c *Changes) FirstRun() bool {
	return c.First || slices.ContainsFunc(c.Keys, func(k SettingChange) bool { return k.Key == backfillKey })
}

// Empty reports whether the plan is what is there.
func (c *Changes) Empty() bool {
	return !c.First && !c.Settings && len(c.Partitions) == 0
}

// Diff compares a plan with the bundle that it was built on, prev; nil means
// that there is none. It is pure.
func Diff(prev *Previous, p *Plan) *Changes {
	if prev == nil {
		return first(p)
	}
	origins := p.originsIn(prev)
	edited := p.editedSince(prev, origins)
	c := &Changes{Partitions: []PartitionChange{}, Tags: []TagChange{}, Settings: prev.Settings != "" && prev.Settings != p.Settings}
	if c.Settings {
		c.Keys = settingChanges(prev.Values, p.Values)
	}
	before := make(map[int]*PartitionChange, len(prev.Partitions))
	kept := make([][]bool, len(prev.Partitions))
	for i, q := range prev.Partitions {
		before[q.ID] = &PartitionChange{Kind: Remove, ID: q.ID, Site: q.Site, Tier: q.Tier, Before: len(q.Tags)}
		kept[i] = make([]bool, len(q.Tags))
	}
	for i := range p.Partitions {
		part := &p.Partitions[i]
		change, ok := before[part.ID]
		if !ok {
			change = &PartitionChange{Kind: Add, ID: part.ID}
			before[part.ID] = change
		} else {
			change.Kind = Change
		}
		change.Site, change.Tier, change.After = part.Site, part.Tier, len(part.Members)
		for k, o := range origins[i] {
			if o.part >= 0 {
				kept[o.part][o.tag] = true
			}
			c.member(prev, part, k, o, edited[i][k], change, before)
		}
	}
	for i, q := range prev.Partitions {
		for k, tag := range q.Tags {
			if !kept[i][k] {
				before[q.ID].Removed++
				c.Removed++
				c.Tags = append(c.Tags, TagChange{Kind: Remove, Site: q.Site, Tag: tag.Name, From: q.ID, To: -1})
			}
		}
	}
	for _, change := range before {
		if change.Kind != Change || change.Added+change.Removed+change.In+change.Out+change.Renamed+change.Edited > 0 {
			c.Partitions = append(c.Partitions, *change)
		}
	}
	slices.SortFunc(c.Partitions, func(a, b PartitionChange) int { return a.ID - b.ID })
	c.Balance = p.balance(prev, origins)
	return c
}

// settingChanges lists what differs between settings, in order of key; nothing
// where the earlier ones are not known.
func settingChanges(before, after map[string]string) []SettingChange {
	if before == nil {
		return nil
	}
	var changes []SettingChange
	for key, is := range after {
		if was, ok := before[key]; !ok {
			changes = append(changes, SettingChange{Add, key, "", is})
		} else if was != is {
			changes = append(changes, SettingChange{Change, key, was, is})
		}
	}
	for key, was := range before {
		if _, ok := after[key]; !ok {
			changes = append(changes, SettingChange{Remove, key, was, ""})
		}
	}
	slices.SortFunc(changes, func(a, b SettingChange) int { return strings.Compare(a.Key, b.Key) })
	return changes
}

// member notes what happens to one tag of a partition.
func (c *Changes) member(
	prev *Previous,
	part *Partition,
	k int,
	o origin,
	edited bool,
	change *PartitionChange,
	all map[int]*PartitionChange,
) {
	tag := &part.Members[k]
	if o.part < 0 {
		c.Added++
		change.Added++
		c.Tags = append(c.Tags, TagChange{Kind: Add, Site: part.Site, Tag: tag.Name, From: -1, To: part.ID})
		return
	}
	from := prev.Partitions[o.part].ID
	was := &prev.Partitions[o.part].Tags[o.tag]
	moved, renamed := from != part.ID, was.Name != tag.Name
	if !moved && !renamed && !edited {
		return
	}
	t := TagChange{Kind: Change, Site: part.Site, Tag: tag.Name, From: from, To: part.ID, Edited: edited}
	if moved {
		c.Moved++
		change.In++
		all[from].Out++
	}
	if renamed {
		t.Was = was.Name
		c.Renamed++
		change.Renamed++
	}
	if edited {
		c.Edited++
		change.Edited++
	}
	c.Tags = append(c.Tags, t)
}

// editedSince reports of each member of each partition whether its attributes are
// other ones than in prev. A million hashes are worth all processors.
func (p *Plan) editedSince(prev *Previous, origins [][]origin) [][]bool {
	edited := make([][]bool, len(p.Partitions))
	_ = each(len(p.Partitions), func(i int) error {
		members := p.Partitions[i].Members
		edited[i] = make([]bool, len(members))
		for k, o := range origins[i] {
			if o.part >= 0 {
				edited[i][k] = prev.Partitions[o.part].Tags[o.tag].attributes != attributesOf(&members[k])
			}
		}
		return nil
	}) // it gives no error
	return edited
}

// first is the difference from nothing. It does not list the tags: they are all of the plan's.
func first(p *Plan) *Changes {
	c := &Changes{First: true, Added: p.Tags, Tags: []TagChange{}, Balance: p.balance(nil, nil)}
	for i := range p.Partitions {
		part := &p.Partitions[i]
		c.Partitions = append(c.Partitions, PartitionChange{
			Kind: Add, ID: part.ID, Site: part.Site, Tier: part.Tier, After: part.Tags, Added: part.Tags,
		})
	}
	return c
}

// originsIn returns where each member of each partition was in prev. Build has
// found that out for the bundle that the plan was built on.
func (p *Plan) originsIn(prev *Previous) [][]origin {
	origins := make([][]origin, len(p.Partitions))
	if p.previous == prev {
		for i := range p.Partitions {
			origins[i] = p.Partitions[i].origins
		}
		return origins
	}
	type place struct{ part, member int32 }
	places := map[string][]place{}
	for i, part := range p.Partitions {
		origins[i] = make([]origin, len(part.Members))
		for k := range part.Members {
			places[part.Site] = append(places[part.Site], place{int32(i), int32(k)})
		}
	}
	for site, all := range places {
		member := func(at place) *inventory.Tag { return &p.Partitions[at.part].Members[at.member] }
		slices.SortFunc(all, func(a, b place) int { return strings.Compare(member(a).Name, member(b).Name) })
		tags := make([]inventory.Tag, len(all))
		for i, at := range all {
			tags[i] = *member(at)
		}
		for i, o := range match(tags, prev, prev.site(site)) {
			origins[all[i].part][all[i].member] = o
		}
	}
	return origins
}
