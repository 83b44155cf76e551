package columns

import (
	"hash/maphash"
	"strings"
)

// Strings interns texts: equal texts of a batch have one id, and ids count up
// from 0 in the order in which texts are first seen. The zero value is ready.
// It is not safe for concurrent use. A returned text stays valid after Reset.
type Strings struct {
	text   []string
	hashes []uint32 // of text, to tell most different texts apart without looking at them
	slots  []uint32 // open addressing by hash: an id + 1, or 0 for free; a power of two, at least twice the texts
	last   uint32   // the id given last: values repeat in runs
	size   int
	seed   maphash.Seed // random, so that no server can choose texts that collide
	// New texts are cut from one buffer, since an allocation each costs more
	// than all the rest here. A Builder never writes twice to the same place,
	// so a text is as immutable as any other string.
	arena *strings.Builder
}

const (
	firstSlots = 64
	firstArena = 1 << 10
	lastArena  = 64 << 10 // the most memory that one retained text keeps alive
	ownString  = 8 << 10  // a text of this size is worth an allocation of its own
)

// ID returns the id of s, a new one if s is new. s is copied only then.
func (t *Strings) ID(s []byte) uint32 {
	if int(t.last) < len(t.text) && t.text[t.last] == string(s) {
		return t.last
	}
	if 2*len(t.text) >= len(t.slots) {
		t.grow()
	}
	hash := uint32(maphash.Bytes(t.seed, s))
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if id := t.slots[i] - 1; t.hashes[id] == hash && t.text[id] == string(s) {
			t.last = id
			return id
		}
	}
	id := uint32(len(t.text))
	t.text, t.hashes, t.size = append(t.text, t.keep(s)), append(t.hashes, hash), t.size+len(s)
	t.slots[i] = id + 1
	t.last = id
	return id
}

// Text returns the text of an id.
func (t *Strings) Text(id uint32) string { return t.text[id] }

// Replace makes an id stand for another text.
func (t *Strings) Replace(id uint32, text string) {
	t.size += len(text) - len(t.text[id])
	t.text[id] = text
}

// Len returns the number of different texts.
func (t *Strings) Len() int { return len(t.text) }

// Bytes returns the size of all texts together.
func (t *Strings) Bytes() int { return t.size }

// held returns how many bytes the texts and their table take.
func (t *Strings) held() int { return t.size + 16*cap(t.text) + 4*cap(t.hashes) + 4*len(t.slots) }

// Reset forgets all texts and keeps the memory of the table.
func (t *Strings) Reset() {
	clear(t.slots)
	clear(t.text)
	t.text, t.hashes, t.size, t.last = t.text[:0], t.hashes[:0], 0, 0
}

// grow doubles the table.
func (t *Strings) grow() {
	if t.slots == nil {
		t.seed = maphash.MakeSeed()
	}
	t.slots = make([]uint32, max(firstSlots, 2*len(t.slots)))
	mask := uint32(len(t.slots) - 1)
	for id, hash := range t.hashes {
		i := hash & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = uint32(id) + 1
	}
}

// keep copies s into the arena.
func (t *Strings) keep(s []byte) string {
	if len(s) >= ownString {
		return string(s)
	}
	if t.arena == nil || t.arena.Cap()-t.arena.Len() < len(s) {
		size := firstArena
		if t.arena != nil {
			size = min(2*t.arena.Cap(), lastArena)
		}
		t.arena = new(strings.Builder)
		t.arena.Grow(max(size, len(s)))
	}
	from := t.arena.Len()
	t.arena.Write(s)
	return t.arena.String()[from:]
}
