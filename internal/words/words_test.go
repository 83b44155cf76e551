package words_test

import (
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/stretchr/testify/assert"
)

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"1,000,000":        words.Count(1000000),
		"1 tag":            words.Plural(1, "tag"),
		"0 tags":           words.Plural(0, "tag"),
		"0.25":             words.Number(0.25),
		"3.7":              words.Number(3.70),
		"50":               words.Number(50),
		"15.6":             words.Number(15.625),
		"12,346":           words.Number(12345.6),
		"541 k":            words.Short(541234),
		"1 M":              words.Short(999999),
		"1.2 M":            words.Short(1.2e6),
		"10 k":             words.Short(9999),
		"999":              words.Short(999),
		"5.4 k":            words.Short(5400),
		"45 s":             words.Span(45.2),
		"1 min":            words.Span(59.9),
		"6 min 10 s":       words.Span(370),
		"1 h":              words.Span(3600),
		"2 h 5 min":        words.Span(7500),
		"3 d 4 h":          words.Span(3*86400 + 4*3600),
		"every minute":     words.Every(time.Minute),
		"every hour":       words.Every(time.Hour),
		"every 2 days":     words.Every(48 * time.Hour),
		"every 1 h 30 min": words.Every(90 * time.Minute),
		"every 15 min":     words.Every(15 * time.Minute),
		"45.6":             words.Digits(45.62),
		"100%":             words.Share(1),
		"99.99%":           words.Share(0.99999),
		"99.9%":            words.Share(0.999),
		"under 0.01%":      words.Share(0.00001),
		"0%":               words.Share(0),
		"4:20":             words.Clock(260),
		"1:00:01":          words.Clock(3601),
		"$0.92":            words.Dollars(0.92),
		"$100":             words.Dollars(99.999),
		"$7,950":           words.Dollars(7950.4),
		"-$310":            words.Dollars(-310),
		"under $0.01":      words.Dollars(0.004),
		"$0":               words.Dollars(0),
		"none":             words.List(nil, 3),
		"a":                words.List([]string{"a"}, 3),
		"a, b and c":       words.List([]string{"a", "b", "c"}, 3),
		"a, b and 2 more":  words.List([]string{"a", "b", "c", "d"}, 2),
	} {
		assert.Equal(t, want, got)
	}
}
