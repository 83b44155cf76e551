package yamlread

import "gopkg.in/yaml.v3"

// maxExpansion is how many nodes all aliases of a file may stand for together.
// A file that shares settings among thousands of sites is far below it; nested
// aliases that grow exponentially pass it after a few levels.
const maxExpansion = 100_000

// maxDepth is how deep a file may nest.
const maxDepth = 100

// expansion measures what a file's aliases stand for, without expanding them.
type expansion struct {
	sizes map[*yaml.Node]int // nodes below and including, aliases expanded, at most maxExpansion+1
	open  map[*yaml.Node]bool
	total int
	bad   *yaml.Node // the first offending node
	why   string
}

// size returns the expanded size of n. Each node is visited once.
func (x *expansion) size(n *yaml.Node, depth int) int {
	if x.bad != nil {
		return 0
	}
	if s, ok := x.sizes[n]; ok {
		return s
	}
	if depth > maxDepth {
		x.bad, x.why = n, "nested too deeply"
		return 0
	}
	if x.open[n] {
		x.bad, x.why = n, "an anchor that contains itself"
		return 0
	}
	x.open[n] = true
	s := 1
	if n.Kind == yaml.AliasNode {
		s = x.size(n.Alias, depth+1)
		if x.total += s; x.total > maxExpansion && x.bad == nil {
			x.bad, x.why = n, "aliases that stand for too much"
		}
	}
	for _, c := range n.Content {
		s = min(s+x.size(c, depth+1), maxExpansion+1)
	}
	delete(x.open, n)
	x.sizes[n] = s
	return s
}
