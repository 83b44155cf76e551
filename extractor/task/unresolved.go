package task

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// missing is a tag of a manifest that its site does not have.
type missing struct {
	wanted
	known bool   // an earlier run found it there
	why   string // for a person, if no run ever found it
}

// fold returns the form of a name in which tags are compared: PI ignores case, and
// blanks around a name are a typing mistake.
func fold(name string) string { return inventory.Fold(strings.TrimSpace(name)) }

// found are the tags that runs have found on their servers.
type found struct {
	points map[engine.Key]bool
	names  map[siteName]bool
}

// siteName is a tag's site and its name, folded.
type siteName struct{ site, name string }

func foundBy(owners []engine.Owner) found {
	f := found{make(map[engine.Key]bool, len(owners)), make(map[siteName]bool, len(owners))}
	for i := range owners {
		o := &owners[i]
		f.points[o.Key()], f.names[siteName{o.Site, fold(o.Name)}] = true, true
	}
	return f
}

func (f found) has(w *wanted) bool {
	return f.points[engine.Key{Site: w.tag.Site, PointID: w.tag.PointID}] || f.names[siteName{w.tag.Site, fold(w.tag.Name)}]
}

// sortMissing divides the tags that their site does not have: those that no run ever
// found have failed, with a reason; the others are gone.
func (a *attempt) sortMissing(ctx context.Context, next *assignment, listings []listing) error {
	reasons, former := map[string]*reason{}, map[string]found{}
	for i := range listings {
		reasons[listings[i].site] = &reason{listing: &listings[i]}
	}
	for i := range next.missing {
		m := &next.missing[i]
		before, read := former[m.tag.Site]
		if !m.known && !read {
			owners, err := a.Engine.Former(ctx, m.tag.Site)
			if err != nil {
				return fmt.Errorf("read metadata.tag_partitions: %w", err)
			}
			before = foundBy(owners)
			former[m.tag.Site] = before
		}
		switch {
		case m.known || before.has(&m.wanted):
			next.gone = append(next.gone, m.tag.Site+": "+m.tag.Name)
		case m.tag.Tier == a.Params.Tier: // those of another tier are reported by its runs
			m.why = reasons[m.tag.Site].of(m.tag.Name, len(next.unresolved) < maxNamed)
			next.unresolved = append(next.unresolved, *m)
		}
	}
	return nil
}

// reason explains names that a site does not have.
type reason struct {
	listing *listing
	names   []string
}

// of returns why a tag cannot be read. With near it searches for similar names, which
// takes a while.
func (r *reason) of(name string, near bool) string {
	why := "its site has no point of this name, or its user may not see it"
	if r.listing != nil && r.listing.incomplete {
		why = "its site lists no point of this name, and could not list all that it has"
	}
	if server, tag, ok := strings.Cut(strings.TrimPrefix(name, `\\`), `\`); ok && strings.HasPrefix(name, `\\`) && server != "" {
		return fmt.Sprintf("%s; it is a path: the inventory has names alone, such as %q", why, tag)
	}
	if !near {
		return why
	}
	if r.names == nil {
		for i := range r.listing.points {
			r.names = append(r.names, r.listing.points[i].Name)
		}
	}
	if like := suggest.Nearest(name, alike(name, r.names)); like != "" {
		why += "; " + suggest.DidYouMean(strconv.Quote(like))
	}
	return why
}

// manyNames is how many names are compared with one, letter by letter.
const manyNames = 20_000

// alike returns the names to compare with one: all, or if they are many, those that
// begin or end as it does.
func alike(name string, names []string) []string {
	if len(names) <= manyNames {
		return names
	}
	const ends = 4
	folded := fold(name)
	head, tail := folded[:min(ends, len(folded))], folded[max(0, len(folded)-ends):]
	var out []string
	for _, n := range names {
		if f := fold(n); strings.HasPrefix(f, head) || strings.HasSuffix(f, tail) {
			if out = append(out, n); len(out) == manyNames {
				break
			}
		}
	}
	return out
}

// errors returns the rows of monitoring.tag_errors for tags that no run ever found.
func (a *assignment) errors(runID string) []engine.TagError {
	var rows []engine.TagError
	for _, m := range a.unresolved {
		rows = append(rows, engine.TagError{RunID: runID, Partition: m.partition, Name: m.tag.Name, Site: m.tag.Site, Error: m.why})
	}
	return rows
}

// maxNamed is how many tags a message names.
const maxNamed = 10

// note names the tags that no run ever found; "" if there are none.
func (a *assignment) note() string {
	n := len(a.unresolved)
	if n == 0 {
		return ""
	}
	var b strings.Builder
	if n == 1 {
		b.WriteString("1 tag of the bundle is not on its server, and counts as failed:")
	} else {
		fmt.Fprintf(&b, "%d tags of the bundle are not on their server, and count as failed:", n)
	}
	for i, m := range a.unresolved {
		if i == maxNamed {
			fmt.Fprintf(&b, "\n%d more: see monitoring.tag_errors", n-i)
			break
		}
		fmt.Fprintf(&b, "\n%s: %s: %s", m.tag.Site, text.Line(fmt.Sprintf("%q", m.tag.Name)), m.why)
	}
	return diag.Hinted(b.String(), "correct the inventory, then bundlegen generate; or bundlegen discover, which asks the server for its tags")
}

// unresolvedIn counts the partition's tags that discover did not find, by the run
// that discover recorded.
func (x *extraction) unresolvedIn(ctx context.Context, run engine.Run) error {
	if run.ID == x.resolvedBy {
		return nil
	}
	x.unresolved = nil
	if run.Unresolved > 0 {
		rows, err := x.Engine.Unresolved(ctx, run.ID, x.Params.Partition)
		if err != nil {
			return fmt.Errorf("read monitoring.tag_errors: %w", err)
		}
		x.unresolved = rows
	}
	for _, t := range x.unresolved[:min(len(x.unresolved), max(0, maxTagErrors-len(x.result.TagErrors)))] {
		x.result.TagErrors = append(x.result.TagErrors, TagError{t.Name, t.Error})
	}
	x.resolvedBy = run.ID
	return nil
}

// failures returns how many tags of the partition are not read in this attempt.
func (x *extraction) failures() int { return len(x.failed) + len(x.unresolved) }

// example returns one of the tags that failed, and why.
func (x *extraction) example() string {
	if x.sample == "" && len(x.unresolved) > 0 {
		return sample(&batch.Outcome{Name: x.unresolved[0].Name, Error: x.unresolved[0].Error})
	}
	return x.sample
}

func sample(o *batch.Outcome) string { return fmt.Sprintf("for instance %q: %s", o.Name, o.Error) }
