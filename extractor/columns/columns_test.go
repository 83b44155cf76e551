package columns_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/extractor/columns"
)

// Any sequence of IDs and Resets behaves as a map that counts up.
func TestStringsBehaveAsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.OneOf(
			rapid.StringN(0, 4, -1),
			rapid.StringMatching(`[ab]{0,3}`),
			rapid.Just(strings.Repeat("x", 9000)),
			rapid.Map(rapid.IntRange(0, 300), func(i int) string { return fmt.Sprint("state ", i) }),
		), 0, 400).Draw(t, "texts")
		reset := rapid.IntRange(0, 400).Draw(t, "reset before")

		var s columns.Strings
		ids := map[string]uint32{}
		size := 0
		var kept []string // handed out, and compared after Reset
		for i, text := range texts {
			if i == reset {
				s.Reset()
				clear(ids)
				size = 0
			}
			want, known := ids[text]
			if !known {
				want = uint32(len(ids))
				ids[text], size = want, size+len(text)
			}
			buffer := []byte(text)
			id := s.ID(buffer)
			for j := range buffer {
				buffer[j] = '!' // the caller's buffer is used again at once
			}
			require.Equal(t, want, id)
			require.Equal(t, text, s.Text(id))
			require.Equal(t, len(ids), s.Len())
			require.Equal(t, size, s.Bytes())
			kept = append(kept, s.Text(id))
		}
		s.Reset()
		s.ID([]byte("overwrites nothing"))
		require.Equal(t, texts, append([]string{}, kept...))
	})
}

func TestStringsDoNotAllocateForKnownTexts(t *testing.T) {
	var s columns.Strings
	states := [][]byte{[]byte("Open"), []byte("Closed"), []byte("Bad Input"), {}}
	round := func() {
		for _, state := range states {
			s.ID(state)
		}
	}
	round()
	assert.Zero(t, testing.AllocsPerRun(100, round))
}

// Delete and Truncate keep all columns in step.
func TestDelete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "events")
		i := rapid.IntRange(0, n).Draw(t, "i")
		j := rapid.IntRange(i, n).Draw(t, "j")
		var b columns.Batch
		var want []int
		for k := range n {
			b.Append(int32(k), int64(k), float64(k), uint32(k), int32(k), uint8(k))
			if k < i || k >= j {
				want = append(want, k)
			}
		}
		b.Delete(i, j)
		require.Equal(t, len(want), b.Len())
		for at, k := range want {
			require.Equal(t, []any{int32(k), int64(k), float64(k), uint32(k), int32(k), uint8(k)},
				[]any{b.Stream[at], b.Ticks[at], b.Value[at], b.Text[at], b.Code[at], b.Flags[at]})
		}
	})
}

func TestGrowAllocatesAhead(t *testing.T) {
	b := new(columns.Batch)
	b.Grow(1000)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		b.Reset()
		for range 1000 {
			b.Append(0, 0, 0, 0, 0, 0)
		}
	}))
	assert.Equal(t, 1000, b.Len())
}

func BenchmarkStrings(b *testing.B) {
	few := [][]byte{[]byte("Open"), []byte("Closed"), []byte("Bad Input"), []byte("I/O Timeout")}
	b.Run("four states in turn", func(b *testing.B) {
		var s columns.Strings
		b.ReportAllocs()
		for i := range b.N {
			s.ID(few[i&3])
		}
	})
	b.Run("all different", func(b *testing.B) {
		var s columns.Strings
		text := []byte("batch 00000000 released")
		b.ReportAllocs()
		for i := range b.N {
			for at, v := 13, i; at > 5; at, v = at-1, v/10 {
				text[at] = byte('0' + v%10)
			}
			if s.ID(text); s.Len() == 100_000 {
				s.Reset()
			}
		}
	})
}
