package decode_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/decode"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// checkNumber compares the number that text begins with to strconv's.
func checkNumber(t require.TestingT, text string) {
	f, next := decode.Number([]byte(text+","), 0)
	var number json.Number
	valid := json.Unmarshal([]byte(text), &number) == nil && text != "" && strings.Trim(text,
		" \t\r\n") == text && text[0] != '"' && text != "null"
	want, err := strconv.ParseFloat(text, 64)
	if !valid || err != nil {
		require.False(t, next > 0 && next == len(text), "%q is accepted", text)
		return
	}
	require.Equal(t, len(text), next, "%q is refused", text)
	require.Equal(t, math.Float64bits(want), math.Float64bits(f), "%q is %v", text, f)
}

func TestNumbersAreThoseOfStrconv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Float32(), func(f float32) float64 { return float64(f) }),
			rapid.Float64Range(-1000, 1000)).Draw(t, "f")
		precision := rapid.IntRange(-1, 25).Draw(t, "precision")
		for _, format := range []byte("feEgG") {
			checkNumber(t, strconv.FormatFloat(f, format, precision, 64))
		}
		checkNumber(t, rapid.StringMatching(`-?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{0,4})?`).Draw(t, "text"))
		w := &writer{t: t}
		checkNumber(t, w.number())
	})
}

// Numbers just beside the middle of two floats are the hard ones to round.
func TestNumbersAtTies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mantissa := rapid.Uint64Range(1<<53, 1<<54-1).Draw(t, "mantissa") | 1 // one bit too many: a tie
		shift := rapid.IntRange(0, 12).Draw(t, "shift")
		// mantissa / 2^shift, written out exactly.
		tie := strconv.FormatFloat(float64(mantissa>>1), 'f', 0, 64)
		checkNumber(t, tie)
		exact := new(strings.Builder)
		whole, rest := mantissa>>shift, mantissa&(1<<shift-1)
		fmt.Fprint(exact, whole, ".")
		for range shift {
			rest *= 10
			fmt.Fprint(exact, rest>>shift)
			rest &= 1<<shift - 1
		}
		text := strings.TrimSuffix(exact.String(), ".")
		checkNumber(t, text)
		checkNumber(t, strconv.FormatUint(mantissa, 10))
		checkNumber(t, strconv.FormatUint(mantissa-1, 10)+".5")
		checkNumber(t, strconv.FormatUint(mantissa, 10)+"e"+strconv.Itoa(shift))
		checkNumber(t, strconv.FormatUint(mantissa, 10)+"e-"+strconv.Itoa(shift+10))
	})
}

// Numbers that are above the middle of two floats by less than the 64 bits of the
// first division or product show: only the remainder decides. They are found by
// solving for a small remainder.
func TestNumbersJustAboveTies(t *testing.T) {
	power := func(base, n int64) *big.Int { return new(big.Int).Exp(big.NewInt(base), big.NewInt(n), nil) }
	for name, of := range map[string]struct {
		a, b   *big.Int // digits x a = tie x b + rest
		rest   int64    // that leaves ties with an even float below
		suffix string
	}{
		"quotient": {power(2, 36), power(5, 19), 3, "e-19"}, // digits / 10^19 = tie / 2^55, nearly
		"product":  {power(5, 19), power(2, 50), 1, "e19"},  // digits x 10^19 = tie x 2^69, nearly
	} {
		digits, found := new(big.Int).ModInverse(of.a, of.b), 0
		digits.Mul(digits, big.NewInt(of.rest)).Mod(digits, of.b)
		step := new(big.Int).Div(new(big.Int).Mul(power(2, 53), of.b), of.a)
		step.Div(step, of.b) // to where ties have 54 bits
		digits.Add(digits, step.Mul(step, of.b))
		for range 2000 {
			digits.Add(digits, of.b)
			tie := new(big.Int).Div(new(big.Int).Mul(digits, of.a), of.b)
			if tie.BitLen() == 54 && tie.Bit(0) == 1 && tie.Bit(1) == 0 && len(digits.String()) <= 19 {
				checkNumber(t, digits.String()+of.suffix)
				found++
			}
		}
		assert.NotZero(t, found, name)
	}
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"0", "-0", "40.787605285644531", "1e22", "1e23", "9007199254740993", "18446744073709551615e-19",
		"0.000000000000000000000000001", "00", "1.", ".5", "-", "1e", "1e400", "1e-400", "0e999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkNumber(t, text) })
}

// checkTimestamp compares with package instant.
func checkTimestamp(t require.TestingT, before, text string) {
	want, err := instant.Parse(text)
	have, ok := decode.Timestamp(before, text)
	require.Equal(t, err == nil, ok, "%q", text)
	if ok {
		require.Equal(t, int64(want), have, "%q", text)
	}
	if quick, ok := decode.QuickTimestamp(text); ok {
		require.NoError(t, err, "%q", text)
		require.Equal(t, int64(want), quick, "%q", text)
	}
}

func TestTimestampsAreThoseOfInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) string {
			date := time.Date(rapid.IntRange(0, 9999).Draw(t, label), 1, 1, 0, 0, 0, 0, time.UTC)
			at := date.Add(time.Duration(rapid.Int64Range(0, 365*86400*1e7-1).Draw(t, "ticks")) * 100)
			digits := rapid.IntRange(0, 9).Draw(t, "digits")
			text := at.Format("2006-01-02T15:04:05.0000000")[:20+min(digits, 7)]
			return strings.TrimSuffix(text, ".") + strings.Repeat("0", max(0, digits-7)) + "Z"
		}
		before, text := draw("year before"), draw("year")
		checkTimestamp(t, before, text)
		if n := strings.IndexAny(text, ".Z"); len(text)-n <= 9 {
			_, quick := decode.QuickTimestamp(text)
			require.True(t, quick, "%q is not read the quick way", text)
		}
		broken := mutate(t, []byte(text))
		checkTimestamp(t, before, string(broken))
	})
}

// Every day of 400 years, and the days that no month has.
func TestDates(t *testing.T) {
	for year := 1900; year < 2300; year++ {
		for month := 0; month <= 13; month++ {
			for day := 28; day <= 32; day++ {
				checkTimestamp(t, "", fmt.Sprintf("%04d-%02d-%02dT00:00:00Z", year, month, day))
			}
		}
	}
	for at := time.Date(-0, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 10000; at = at.AddDate(0, 0, 97) {
		checkTimestamp(t, "", at.Format("2006-01-02T15:04:05Z"))
	}
}

func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{"2016-02-12T12:28:57Z", "2016-02-29T23:59:59.9999999Z", "2015-02-29T00:00:00Z", "2016-02-12T24:00:00Z",
		"2016-02-12T12:28:60Z", "2016-02-12T12:28:57+02:00", "2016-02-12t12:28:57z", "2016-02-12T12:28:57,5Z", "2016-02-12T12:28:57.123456789Z",
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkTimestamp(t, "", text)
		checkTimestamp(t, "2016-02-12T12:28:57Z", text)
	})
}

func FuzzUnquote(f *testing.F) {
	for _, text := range []string{"", "plain", `\ud83d\ude00`, `\ud83d`, `\ud83dx`, `\ud83d\n`, `\ude00\ud83d`, `\u0000`, "\xff\xfe",
		`\/\b\f\n\r\t\"\\`, "日本"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want string
		if json.Unmarshal([]byte(`"`+raw+`"`), &want) == nil {
			require.Equal(t, want, string(decode.Unquote(nil, []byte(raw))))
		}
	})
}

func TestPrintable(t *testing.T) {
	assert.Equal(t, "a b \uFFFD", decode.Printable([]byte("a\r\n\x1b\tb \xff")))
	long := decode.Printable([]byte(strings.Repeat("é", 1000)))
	assert.Equal(t, strings.Repeat("é", 100)+"…", long)
}
