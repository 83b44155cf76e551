package stage

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// recycler reuses the Parquet writer's large buffers, which it otherwise allocates for
// every column of every row group. It is not safe for concurrent use; each Writer has its
// own.
type recycler struct {
	memory.GoAllocator
	free [][]byte
}

const (
	recycled = 4 << 10 // buffers below this size are left to the collector
	maxFree  = 8
)

// Allocate implements memory.Allocator. The buffer is zero.
func (r *recycler) Allocate(size int) []byte {
	if size < recycled {
		return r.GoAllocator.Allocate(size)
	}
	for i, b := range r.free {
		if cap(b) >= size {
			r.free = slices.Delete(r.free, i, i+1)
			b = b[:size]
			clear(b)
			return b
		}
	}
	return r.GoAllocator.Allocate(size)
}

// Reallocate implements memory.Allocator.
func (r *recycler) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	grown := r.Allocate(size)
	copy(grown, b)
	r.Free(b)
	return grown
}

// Free implements memory.Allocator.
func (r *recycler) Free(b []byte) {
	if cap(b) >= recycled && len(r.free) < maxFree {
		r.free = append(r.free, b)
	}
}
