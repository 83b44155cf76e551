package inventory

import "math/bits"

// set is a hash set of rows. It holds numbers of rows only; what makes two of
// them the same is up to the caller.
type set struct {
	slots []slot
	mask  uint64
}

// slot holds a row's number + 1 (0 is free) and the upper half of its hash,
// which spares looking at the rows themselves.
type slot struct {
	row  uint32
	high uint32
}

// newSet makes a set for at most n rows.
func newSet(n int) set {
	size := uint64(1) << bits.Len(uint(2*n))
	return set{slots: make([]slot, size), mask: size - 1}
}

// add adds a row with a hash unless one that is the same is there already, and
// gives the row that is there now.
func (s set) add(hash uint64, row int, same func(other int) bool) (there int, isNew bool) {
	high := uint32(hash >> 32)
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		switch slot := &s.slots[i]; {
		case slot.row == 0:
			slot.row, slot.high = uint32(row)+1, high
			return row, true
		case slot.high == high && same(int(slot.row)-1):
			return int(slot.row) - 1, false
		}
	}
}

// mix spreads a number over 64 bits.
func mix(x uint64) uint64 {
	high, low := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return high ^ low
}
