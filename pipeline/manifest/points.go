package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Which points of a site belong into its inventory.
const (
	PointsAll      = "all"      // all that its user may see
	PointsListed   = "listed"   // those of the inventory's rows, and no others
	PointsFiltered = "filtered" // those that Include, Exclude and PointSource say
)

// TierNone is the tier of a row that is kept in the inventory and not extracted.
const TierNone = "none"

// LeftOutFile is the file beside the manifests that lists the rows of TierNone:
// discover must not take their points for new ones. It is there where such rows are.
const LeftOutFile = "left-out.csv"

// Points names the points of a site that belong into its inventory. The zero value is
// PointsAll where nobody said so.
type Points struct {
	Kind        string   `json:"kind"`                   // one of Points…; "" = not said
	Include     []string `json:"include,omitempty"`      // name filters as PI has them; none = every name
	Exclude     []string `json:"exclude,omitempty"`      // names that Include is not meant for
	PointSource []string `json:"point_source,omitempty"` // point sources; none = every one
}

// Selects returns a function that reports whether a name is one of those that
// Include and Exclude leave. Points of PointsListed are known by the inventory
// alone: of them it is true of every name.
func (p Points) Selects() func(name string) bool {
	include, exclude := inventory.NewFilter(p.Include), inventory.NewFilter(p.Exclude)
	return func(name string) bool {
		return (len(include) == 0 || include.Matches(name)) && !exclude.Matches(name)
	}
}

// check returns what a task could not work with.
func (p Points) check() error {
	kinds := []string{PointsAll, PointsListed, PointsFiltered}
	if p.Kind != "" && !slices.Contains(kinds, p.Kind) {
		return fmt.Errorf("unknown points %q; allowed: %s", p.Kind, strings.Join(kinds, ", "))
	}
	return nil
}
