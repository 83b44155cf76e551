package text

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"Kessel 4, Zulauf °C":   "Kessel 4, Zulauf °C",
		"\x1b[31mred\x1b[0m":    `\x1b[31mred\x1b[0m`,
		"a\r\nb\tc\x00\x7f":     `a\r\nb\tc\x00\x7f`,
		"\u009b31m":             `\u009b31m`,
		"\u202egpj.exe":         `\u202egpj.exe`,
		"a\u200b\u200d\ufeffb":  `a\u200b\u200d\ufeffb`,
		"\U000e0041":            `\U000e0041`,
		"a\u2028b":              `a\u2028b`,
		"\xff\xc3(":             `\xff\xc3(`,
		"a replaced \ufffd one": "a replaced \ufffd one",
		"🏭 Werk":                "🏭 Werk",
	} {
		assert.Equal(t, want, Line(in))
	}
	assert.Equal(t, "a\n\tb\\r\\x1b", Lines("a\n\tb\r\x1b"))
}
