package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// Explanation is all that is known of one tag.
type Explanation struct {
	plan.Place
	Why     string   `json:"why"`     // the reason as a sentence; ExplainJSON fills it in
	History *History `json:"history"` // nil: no data folder was asked, or it does not know the tag
}

// History is what a data folder knows of a tag.
type History struct {
	Owners      []Owned    `json:"partitions"` // from the first to the latest
	LandedUntil *time.Time `json:"landed_until"`
	Pinned      bool       `json:"pinned"` // nothing was landed yet: reading starts behind LandedUntil
	LastError   *LastError `json:"last_error"`
}

// Owned is a stretch of time in which a partition owned a tag.
type Owned struct {
	Partition int        `json:"partition_id"`
	Tier      string     `json:"tier"`
	Name      string     `json:"tag"` // what it was called then
	From      time.Time  `json:"valid_from"`
	To        *time.Time `json:"valid_to"` // nil: still
}

// LastError is the last time that a tag could not be read.
type LastError struct {
	Error string    `json:"error"`
	At    time.Time `json:"occurred_at"`
	RunID string    `json:"run_id"`
}

// explanations is `explain --output json`. It only grows.
type explanations struct {
	Version int           `json:"version"`
	Tags    []Explanation `json:"tags"`
}

// ExplainJSON writes explanations for programs.
func ExplainJSON(w io.Writer, list []Explanation) error {
	list = slices.Clone(list)
	for i := range list {
		list[i].Why = why(&list[i].Place)
	}
	return WriteJSON(w, explanations{Version: plan.Version, Tags: list})
}

// ExplainText writes explanations for a terminal. data is whether a data
// folder was asked.
func ExplainText(w io.Writer, list []Explanation, data bool, o Options) error {
	t := newTerminal(w, o)
	for i := range list {
		if i > 0 {
			t.line("")
		}
		t.explain(&list[i], data)
	}
	return t.out.Flush()
}

func (t *terminal) explain(e *Explanation, data bool) {
	at := "no partition"
	if e.Partition >= 0 {
		at = "partition " + id(e.Partition)
	}
	name := fit(clean(e.Tag), t.width/2)
	t.labelled(0, name, width(name)+3, clean(strings.Join([]string{e.Site, e.Tier, at}, " · ")), t.strong)
	t.line("")
	fact := func(label, format string, args ...any) {
		t.labelled(2, label, 14, clean(fmt.Sprintf(format, args...)), t.faint)
	}
	fact("why", "%s", why(&e.Place))
	if e.Was != "" {
		fact("was called", "%s", e.Was)
	}
	if e.PartitionWeight > 0 {
		fact("weight", "%s events/h, %s of its partition's: %s", words.Number(e.Weight), words.Share(e.Weight/e.PartitionWeight),
			weightFrom(&e.Place))
		fact("partition", "%s, %s events/h", words.Plural(e.PartitionTags, "tag"), words.Short(e.PartitionWeight))
	}
	if e.Partition >= 0 && e.Before >= 0 && e.Before != e.Partition {
		fact("moves", "from %s to %s with the next generate", id(e.Before), id(e.Partition))
	}
	switch {
	case !data:
		fact("history", "--data FOLDER shows when it moved and up to when it is landed")
	case e.History == nil:
		fact("history", "the data folder has nothing about it: no run has included it")
	default:
		t.history(e.History, fact)
	}
}

// fewOwners is how many stretches of a history are shown.
const fewOwners = 10

func (t *terminal) history(h *History, fact func(label, format string, args ...any)) {
	label, skipped := "owned by", max(0, len(h.Owners)-fewOwners)
	if skipped > 0 {
		fact(label, "%s before these", words.Plural(skipped, "partition"))
		label = ""
	}
	for _, o := range h.Owners[skipped:] {
		to := ""
		if o.To != nil {
			to = " to " + second(*o.To)
		}
		fact(label, "%s since %s%s", id(o.Partition), second(o.From), to)
		label = ""
	}
	switch {
	case h.LandedUntil == nil:
		fact("landed", "nothing yet")
	case h.Pinned:
		fact("landed", "nothing yet: reading starts after %s", instant.FromTime(*h.LandedUntil))
	default:
		fact("landed", "up to %s", instant.FromTime(*h.LandedUntil))
	}
	if h.LastError == nil {
		fact("last error", "none")
		return
	}
	fact("last error", "%s, run %s: %s", second(h.LastError.At), h.LastError.RunID, h.LastError.Error)
}

// second returns an instant to the second.
func second(t time.Time) string { return t.UTC().Format(time.RFC3339) }
