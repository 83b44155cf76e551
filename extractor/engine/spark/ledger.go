package spark

import (
	"cmp"
	"context"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// entry is one decided number of a partition: its batch, and whether that is applied.
type entry struct {
	number  int64
	batchID string
	fence   instant.Ticks // 0: a batch; else a fence against runs assigned before
	applied bool
}

// ledger is what a partition's numbers were decided for, as one snapshot shows
// it. Compaction drops entries that are applied and not the last.
type ledger struct {
	epoch   string
	entries []entry // in order of number
}

// readLedger reads a partition's ledger in one statement.
func (e *Engine) readLedger(ctx context.Context, partition int) (ledger, error) {
	var l ledger
	err := e.query(ctx, `SELECT w.batch_seq, w.batch_id, coalesce(w.fence_ticks, 0), m.batch_id IS NOT NULL
FROM {checkpoints.tag_watermarks} w LEFT JOIN {monitoring.pipeline_metrics} m
ON m.pipeline = :pipeline AND m.partition_id = :partition AND m.batch_id = w.batch_id
WHERE w.pipeline = :pipeline AND w.partition_id = :partition AND w.point_id IS NULL
UNION ALL SELECT 0, `+latestEpoch+`, 0, true`, args{"partition": partition}, l.add)
	l.sort()
	return l, err
}

// add takes a row of the ledger; number 0 stands for the epoch.
func (l *ledger) add(r row) error {
	var n entry
	var id *string
	if err := r.scan(&n.number, &id, &n.fence, &n.applied); err != nil {
		return err
	}
	if id != nil {
		n.batchID = *id
	}
	if n.number == 0 {
		l.epoch = n.batchID
		return nil
	}
	n.applied = n.applied || n.fence > 0 // a fence has nothing to apply
	l.entries = append(l.entries, n)
	return nil
}

func (l *ledger) sort() {
	sortedBy(l.entries, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
}

// last is the greatest number that is taken; 0 when none is.
func (l *ledger) last() int64 {
	if len(l.entries) == 0 {
		return 0
	}
	return l.entries[len(l.entries)-1].number
}

// fence is the latest fence.
func (l *ledger) fence() (at instant.Ticks) {
	for _, n := range l.entries {
		at = max(at, n.fence)
	}
	return at
}

// winner gives the batch that has a number; "" when the ledger does not say.
func (l *ledger) winner(number int64) string {
	for _, n := range l.entries {
		if n.number == number {
			return n.batchID
		}
	}
	return ""
}

// pending lists what is decided and not applied up to a number, in order.
func (l *ledger) pending(upTo int64) (out []entry) {
	for _, n := range l.entries {
		if !n.applied && n.number <= upTo {
			out = append(out, n)
		}
	}
	return out
}

// standing is what a ledger says of a whole folder.
type standing int

const (
	free  standing = iota // its number is to be had
	ours                  // its number is decided for it
	taken                 // its number is another's, or applied and compacted away
)

// of says how a folder's number stands.
func (l *ledger) of(number int64, batchID string) standing {
	switch w := l.winner(number); {
	case w == batchID:
		return ours
	case w == "" && number > l.last():
		return free
	default:
		return taken
	}
}

// zombie says whether a fence of a later run stands against a run.
func (l *ledger) zombie(run engine.Run) bool { return l.fence() > run.Assigned }
