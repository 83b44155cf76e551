package suggest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/suggest"
)

func TestNearest(t *testing.T) {
	columns := []string{"site", "tag", "web_id", "point_type", "digital_set", "tier"}
	for value, want := range map[string]string{
		"Tag":        "tag",
		"tga":        "tag", // two neighbours swapped are one edit
		"webid":      "web_id",
		"pointtype":  "point_type",
		"tire":       "tier",
		"digitalset": "digital_set",
		"comment":    "",
		"":           "",
		"SITE":       "site",
	} {
		require.Equal(t, want, suggest.Nearest(value, columns), value)
	}
	require.Equal(t, "ab", suggest.Nearest("ax", []string{"ab", "ac"}), "the first of equally near ones")
	require.Empty(t, suggest.Nearest("x", nil))
	require.Equal(t, "prüfstand", suggest.Nearest("PRUFSTAND", []string{"prüfstand"}), "characters, not bytes")
}

func TestNearestFirst(t *testing.T) {
	known := []string{"FIC-102", "TIC-9", "FIC-101", "FIC-103", "FIC-1o1", "FIC-102"}
	require.Equal(t, []string{"FIC-101", "FIC-102", "FIC-103"}, suggest.NearestFirst("fic-101", known, 3), "the nearest first, each once")
	require.Equal(t, []string{"FIC-101"}, suggest.NearestFirst("FIC-101", known, 1))
	require.Empty(t, suggest.NearestFirst("something else", known, 3))
}

func TestHint(t *testing.T) {
	require.Equal(t, "did you mean tier?", suggest.Hint("tire", []string{"site", "tier"}, "use one of these"))
	require.Equal(t, "use one of these", suggest.Hint("weekly", []string{"site", "tier"}, "use one of these"))
	require.Equal(t, "did you mean A or B?", suggest.DidYouMean("A", "B"))
	require.Equal(t, "did you mean A, B or C?", suggest.DidYouMean("A", "B", "C"))
}
