package text

import (
	"encoding/json"
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
	assert.Equal(t, `a\u3164b\u034f`, Line("a\u3164b\u034f"))
}

func TestJSONMeansTheSame(t *testing.T) {
	const name = "\x1b[31m\u009b\u202e\u200b\U000e0041\x7f Werk 🏭"
	written, err := json.MarshalIndent(map[string]string{"tag": name}, "", "\t")
	assert.NoError(t, err)
	shown := JSON(written)
	assert.Equal(t, "{\n\t\"tag\": \"\\u001b[31m\\u009b\\u202e\\u200b\\udb40\\udc41\\u007f Werk 🏭\"\n}", string(shown))
	var read map[string]string
	assert.NoError(t, json.Unmarshal(shown, &read))
	assert.Equal(t, name, read["tag"])
	plain := []byte(`{"a": "b\n"}`)
	assert.Equal(t, plain, JSON(plain))
}
