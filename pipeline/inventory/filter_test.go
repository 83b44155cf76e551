package inventory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "anything at all", true}, {"", "", true}, {"", "a", false},
		{"*.PV", "unit1.fic-1.pv", true}, {"*.PV", "unit1.fic-1.sp", false}, {"*.pv", "A.PV.X", false},
		{"UNIT1.*", "unit1.", true}, {"UNIT?.*.PV", "unit1.a.b.pv", true}, {"UNIT?.*.PV", "unit12.a.pv", false},
		{"?", "日", true}, {"??", "日", false}, {"*K*", "°\u212a", true}, {"STRASSE*", "straße 1", false}, {"Straße*", "STRAẞE 1", true},
		{"a*b*c", "abXbXc", true}, {"a*b*c", "acb", false}, {"[ab]", "[AB]", true}, {"a.b", "axb", false}, {"**", "x", true},
	} {
		require.Equal(t, c.want, inventory.NewFilter([]string{c.pattern}).Matches(c.name), "%q and %q", c.pattern, c.name)
	}
	f := inventory.NewFilter([]string{"A*", "*1"})
	require.Equal(t, 0, f.First("a1"))
	require.Equal(t, 1, f.First("b1"))
	require.Equal(t, -1, f.First("b2"))
	require.False(t, inventory.NewFilter(nil).Matches("a"))
}
