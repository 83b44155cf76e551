package partition

// queue returns the partition with the least key first, and of equal ones that
// with the lowest number. It is a binary heap.
type queue struct{ entries []queued }

type queued struct {
	key       int64
	partition int
}

func (a queued) before(b queued) bool {
	return a.key < b.key || a.key == b.key && a.partition < b.partition
}

// top is the first partition. The queue must not be empty.
func (q *queue) top() int { return q.entries[0].partition }

// add puts a partition in.
func (q *queue) add(key int64, partition int) {
	q.entries = append(q.entries, queued{key, partition})
	e := q.entries
	for i := len(e) - 1; i > 0; {
		parent := (i - 1) / 2
		if !e[i].before(e[parent]) {
			return
		}
		e[i], e[parent] = e[parent], e[i]
		i = parent
	}
}

// changeTop changes the key of the first partition.
func (q *queue) changeTop(key int64) {
	q.entries[0].key = key
	q.sink()
}

// dropTop takes the first partition out.
func (q *queue) dropTop() {
	last := len(q.entries) - 1
	q.entries[0] = q.entries[last]
	q.entries = q.entries[:last]
	if last > 0 {
		q.sink()
	}
}

// sink moves the first entry down to where it belongs.
func (q *queue) sink() {
	e := q.entries
	moving, i := e[0], 0
	for {
		child := 2*i + 1
		if child >= len(e) {
			break
		}
		if child+1 < len(e) && e[child+1].before(e[child]) {
			child++
		}
		if !e[child].before(moving) {
			break
		}
		e[i] = e[child]
		i = child
	}
	e[i] = moving
}
