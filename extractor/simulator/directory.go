package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TagFault is a way in which one tag always fails.
type TagFault uint8

// The ways. NoFault heals a tag.
const (
	NoFault         TagFault = iota
	FaultPermission          // 500 with PI's "No Read Access - Secure Object"
	FaultTimeout             // 500 with "PINET: Timeout on PI RPC"
	FaultNotFound            // 404 though the list of points has it
	FaultException           // a WebException of status 500 under HTTP 200
	FaultHang                // no answer until the client gives up
	FaultSummary             // 500 from a call for summaries; its events can be read
	FaultUnordered           // its events are not in order of time
	FaultUnlisted            // 500 from each page of points that has it; it can be read
	FaultOddID               // its Id is not a number in lists of points
	FaultOddName             // its Name is not a text in lists of points
	FaultOddFuture           // its Future is not a boolean in lists of points
)

// tagFaults are the names of the ways, as ParseTagFault reads them.
var tagFaults = map[string]TagFault{"permission": FaultPermission, "timeout": FaultTimeout, "not-found": FaultNotFound,
	"web-exception": FaultException, "hang": FaultHang, "summary": FaultSummary, "unordered": FaultUnordered, "unlisted": FaultUnlisted,
	"odd-id": FaultOddID, "odd-name": FaultOddName, "odd-future": FaultOddFuture}

// TagFaults returns the names that ParseTagFault reads, in order.
func TagFaults() []string { return slices.Sorted(maps.Keys(tagFaults)) }

// ParseTagFault finds a way by its name. The error lists all names.
func ParseTagFault(name string) (TagFault, error) {
	if f, ok := tagFaults[name]; ok {
		return f, nil
	}
	return 0, fmt.Errorf("%q is not a fault of a tag; allowed: %s", name, strings.Join(TagFaults(), ", "))
}

// directory holds the points and their names. A value never changes; a runtime change
// makes another.
type directory struct {
	odd     bool // some names are odd
	total   int  // points that ever were
	removed []int
	names   map[int]string // of renamed points
	byName  map[string]int // of renamed points, by name in capitals
	faults  map[int]TagFault
}

// len is the number of points.
func (d *directory) len() int { return d.total - len(d.removed) }

// at returns the index of the n-th point, 0 <= n < len.
func (d *directory) at(n int) int {
	for _, r := range d.removed {
		if r > n {
			break
		}
		n++
	}
	return n
}

// exists reports whether there is a point with this index.
func (d *directory) exists(index int) bool {
	if index < 0 || index >= d.total {
		return false
	}
	_, removed := slices.BinarySearch(d.removed, index)
	return !removed
}

// name returns the present name of the point with this index.
func (d *directory) name(index int) string {
	if name, ok := d.names[index]; ok {
		return name
	}
	return baseName(index, d.odd)
}

// find returns the index of the point with this name, in any case.
func (d *directory) find(name string) (int, bool) {
	name = strings.ToUpper(name)
	if index, ok := d.byName[name]; ok {
		return index, d.exists(index)
	}
	for _, index := range indexesIn(name) {
		if d.exists(index) && strings.ToUpper(d.name(index)) == name {
			return index, true
		}
	}
	return 0, false
}

func (d *directory) clone() *directory {
	c := *d
	c.removed, c.names, c.byName, c.faults = slices.Clone(d.removed), maps.Clone(d.names), maps.Clone(d.byName), maps.Clone(d.faults)
	return &c
}

// change replaces the directory by a changed one.
func (s *Server) change(edit func(d *directory) error) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	d := s.directory().clone()
	if err := edit(d); err != nil {
		return err
	}
	s.dir.Store(d)
	return nil
}

func (s *Server) directory() *directory { return s.dir.Load() }

// AddTags adds n points at the end and returns the index of the first. Their archive
// goes back as far as that of the others.
func (s *Server) AddTags(n int) (first int) {
	_ = s.change(func(d *directory) error {
		first = d.total
		d.total += max(n, 0)
		return nil
	})
	return first
}

// RemoveTag deletes a point: its WebIDs of any kind get 404 from now on, and its
// point id is never reused.
func (s *Server) RemoveTag(name string) error {
	return s.change(func(d *directory) error {
		index, err := d.must(name)
		if err != nil {
			return err
		}
		at, _ := slices.BinarySearch(d.removed, index)
		d.removed = slices.Insert(d.removed, at, index)
		return nil
	})
}

// RenameTag renames a point. It keeps its point id and its archive;
// its WebIDs of the kind PathOnly change, and a Full one still leads to it.
func (s *Server) RenameTag(name, to string) error {
	return s.change(func(d *directory) error {
		index, err := d.must(name)
		if err != nil {
			return err
		}
		if other, taken := d.find(to); taken && other != index {
			return fmt.Errorf("there is a tag %q already", to)
		}
		d.rename(index, to)
		return nil
	})
}

func (d *directory) rename(index int, to string) {
	if d.names == nil {
		d.names, d.byName = map[int]string{}, map[string]int{}
	}
	delete(d.byName, strings.ToUpper(d.names[index]))
	d.names[index], d.byName[strings.ToUpper(to)] = to, index
}

// giveOddNames gives a few of the first points names that no PI Data Archive should
// have, or that differ only for a comparison other than PI's.
func (d *directory) giveOddNames(q quirkSet) {
	give := func(index int, names ...string) {
		for i, name := range names {
			if index+i < d.total {
				d.rename(index+i, name)
			}
		}
	}
	if q.has(OddTexts) {
		give(7, "tab\tand\u0085line-7")
	}
	if q.has(DuplicateNames) {
		give(10, "Twin-A", "TWIN-a", "\u212a-1", "k-1", "Straße", "STRAẞE", "İ-1", "i-1") // the last two are two
	}
}

// FailTag makes reads of a point fail from now on, in the given way.
func (s *Server) FailTag(name string, how TagFault) error {
	return s.change(func(d *directory) error {
		index, err := d.must(name)
		if err != nil {
			return err
		}
		if d.faults == nil {
			d.faults = map[int]TagFault{}
		}
		d.faults[index] = how
		return nil
	})
}

func (d *directory) must(name string) (int, error) {
	index, ok := d.find(name)
	if !ok {
		return 0, fmt.Errorf("there is no tag %q", name)
	}
	return index, nil
}
