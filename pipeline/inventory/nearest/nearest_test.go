package nearest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/pipeline/inventory/nearest"
)

func TestOf(t *testing.T) {
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
		require.Equal(t, want, nearest.Of(value, columns), value)
	}
	require.Equal(t, "ab", nearest.Of("ax", []string{"ab", "ac"}), "the first of equally near ones")
	require.Empty(t, nearest.Of("x", nil))
	require.Equal(t, "prüfstand", nearest.Of("PRUFSTAND", []string{"prüfstand"}), "characters, not bytes")
}

func TestFew(t *testing.T) {
	known := []string{"FIC-102", "TIC-9", "FIC-101", "FIC-103", "FIC-1o1", "FIC-102"}
	require.Equal(t, []string{"FIC-101", "FIC-102", "FIC-103"}, nearest.Few("fic-101", known, 3), "the nearest first, each once")
	require.Equal(t, []string{"FIC-101"}, nearest.Few("FIC-101", known, 1))
	require.Empty(t, nearest.Few("something else", known, 3))
}
