package decode

import "bytes"

// shape is what the items of a stream have in common: all their bytes but a timestamp,
// a value, and one of a few tails.
//
//	{"Timestamp":"2016-02-12T12:28:57Z","Value":3.5,"UnitsAbbreviation":"m","Good":true}
//	head          timestamp           mid       value tail
//
// Bytes that are equal mean the same, so that the flags of an item are those of
// the item that its tail was learned from.
type shape struct {
	head, mid []byte
	tails     [maxTails]tail
	known     int // tails that are known
	next      int // the tail to be replaced when there are too many
}

// tail is what follows the value.
type tail struct {
	bytes []byte // up to the closing brace, then a comma and the head of the next item
	size  int    // of the part up to the brace
	flags uint8
}

const (
	maxTails = 16   // different units and flags in turn
	maxShape = 1024 // bytes; an item with longer constant parts is not worth it
)

// learn takes the shape of an item that the generic path has read, from begin to end,
// unless it has no value after its timestamp.
func (s *shape) learn(data []byte, begin, end int, it *item) {
	if it.value.from < it.timestamp.to || end-begin-(it.value.to-it.value.from) > maxShape {
		return
	}
	head := data[begin : it.timestamp.from+1]
	mid := data[it.timestamp.to-1 : it.value.from]
	rest := data[it.value.to:end]
	if !bytes.Equal(head, s.head) || !bytes.Equal(mid, s.mid) {
		s.head, s.mid = append(s.head[:0], head...), append(s.mid[:0], mid...)
		s.known = 0
	}
	for i := range s.known {
		if t := &s.tails[i]; bytes.Equal(t.bytes[:t.size], rest) {
			return
		}
	}
	t := &s.tails[s.next]
	if s.known < maxTails {
		t = &s.tails[s.known]
		s.known++
	} else {
		s.next = (s.next + 1) % maxTails
	}
	t.bytes = append(append(append(t.bytes[:0], rest...), ','), head...)
	t.size, t.flags = len(rest), it.flags
}

// follow finds the tail at data[p:], trying the recent one first.
// next is the position behind what was compared: behind the next item's head
// when more is true, else behind the array's closing bracket. next is 0 when no
// tail fits.
func (s *shape) follow(data []byte, p, recent int) (tail, next int, more bool) {
	rest := data[p:]
	for i := range s.known {
		// The recent one first, and then all others.
		if i == 0 {
			i = recent
		} else if i <= recent {
			i--
		}
		t := &s.tails[i]
		if bytes.HasPrefix(rest, t.bytes) {
			return i, p + len(t.bytes), true
		}
		if bytes.HasPrefix(rest, t.bytes[:t.size]) && t.size < len(rest) && rest[t.size] == ']' {
			return i, p + t.size + 1, false
		}
	}
	return 0, 0, false
}
