package inventory

import (
	"slices"
	"strings"
)

// Options is what a pipeline knows about its inventory.
type Options struct {
	// Sites and Tiers are the names that may occur, and the order of the
	// result. An empty slice means that any name may occur; their order is then
	// bytewise.
	Sites []string
	Tiers []string
	// TierOf returns the tier of a tag whose row names none; nil means the first
	// of Tiers. It is called from several goroutines.
	TierOf func(tag string) string
}

// names turns the values of the column site or tier into numbers.
type names struct {
	known  []string
	number map[string]int32
	open   bool   // any name may occur: an unknown one is added
	absent string // what an empty value means; where "" is not known, it is a mistake

	last       string // the value asked for before, and its number: rows of one site stand together
	lastNumber int32
}

// newNames numbers the known names in their order; with none known it is open.
func newNames(known []string, absent string) names {
	n := names{known: slices.Clone(known), number: make(map[string]int32, len(known)), open: len(known) == 0, absent: absent}
	for i, name := range known {
		n.number[name] = int32(i)
	}
	n.lastNumber = -1
	return n
}

// of gives a value's number, or -1 for one that is not known. Copies of a
// closed names may be asked side by side.
func (n *names) of(value string) int32 {
	if value == "" {
		value = n.absent
	}
	if n.lastNumber >= 0 && value == n.last {
		return n.lastNumber
	}
	number, ok := n.number[value]
	if !ok {
		if !n.open {
			return -1
		}
		number = int32(len(n.known))
		n.known = append(n.known, value)
		n.number[value] = number
	}
	n.last, n.lastNumber = value, number
	return number
}

// ranks gives each number's place in the order of the result.
func (n *names) ranks() []uint32 {
	order := make([]int, len(n.known))
	for i := range order {
		order[i] = i
	}
	if n.open {
		slices.SortFunc(order, func(a, b int) int { return strings.Compare(n.known[a], n.known[b]) })
	}
	ranks := make([]uint32, len(order))
	for rank, number := range order {
		ranks[number] = uint32(rank)
	}
	return ranks
}
