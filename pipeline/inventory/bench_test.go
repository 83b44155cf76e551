package inventory_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

func BenchmarkRead(b *testing.B) {
	tags := manyTags(1_000_000)
	read := func(b *testing.B, tags []inventory.Tag) {
		text := written(b, tags)
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := inventory.Read(strings.NewReader(text), "", both); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("sorted", func(b *testing.B) { read(b, tags) })
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	b.Run("shuffled", func(b *testing.B) { read(b, tags) })
}

func BenchmarkWrite(b *testing.B) {
	tags := manyTags(1_000_000)
	b.Run("Write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := inventory.Write(io.Discard, tags); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("AppendRow", func(b *testing.B) {
		var buffer bytes.Buffer
		_ = inventory.Write(&buffer, tags)
		dst := make([]byte, 0, buffer.Len())
		b.SetBytes(int64(buffer.Len()))
		b.ReportAllocs()
		for b.Loop() {
			dst = dst[:0]
			for i := range tags {
				dst = inventory.AppendRow(dst, &tags[i])
			}
		}
	})
}
