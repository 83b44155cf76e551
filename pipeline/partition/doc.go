// Package partition assigns weighted tags to partitions, stably: a tag stays
// where it was unless a bound would break. It is pure and deterministic, and
// the order of its input never matters.
package partition

// Item is one tag as the assignment sees it.
type Item struct {
	Key      string  // unique in the call; orders items deterministically
	Weight   float64 // > 0
	Previous int     // index in 0..n-1 of the partition that had it, or -1
}

// Bounds limits the number of items of a partition.
type Bounds struct{ Min, Max int }
