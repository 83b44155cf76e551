package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Markdown writes a report for a pull request: the same answers in the same
// order, the long lists folded.
func Markdown(w io.Writer, r Report) error {
	out := bufio.NewWriter(w)
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) } // errors come out of Flush
	line("## %s", escape(r.Plan.Name))
	line("")
	line("%s", escape(strings.Join(headline(r.Plan), " · ")))
	for i := range r.Plan.Tiers {
		tier := &r.Plan.Tiers[i]
		line("")
		if len(r.Plan.Tiers) > 1 {
			line("### %s", escape(tier.Name))
			line("")
			line("%s", escape(tierLine(tier)))
			line("")
		}
		line("| | |")
		line("|---|---|")
		for _, f := range facts(r.Plan, tier, r.Changes) {
			line("| %s | %s |", f.label, escape(f.text))
		}
	}
	line("")
	line("Assumed: %s.", escape(basis(r.Plan)))
	markdownChanges(line, r.Changes)
	if len(r.Plan.Warnings) > 0 {
		line("")
		line("### Warnings")
		line("")
		for _, warning := range Warnings(r.Plan) {
			line("- %s", escape(warning.Message))
			for _, a := range warning.Advice {
				line("  - %s: %s", code(a.Change), escape(a.Effect))
			}
		}
	}
	for _, g := range r.Plan.Grants {
		line("")
		line("SQL for whoever may grant on the catalog, for the service principal of %s:", escape(g.Target))
		line("")
		line("```sql")
		line("%s", clean(g.SQL))
		line("```")
	}
	line("")
	line("<details><summary>%s</summary>", words.Plural(len(r.Plan.Partitions), "partition"))
	line("")
	line("| partition | site | tier | tags | events/h | workers |")
	line("|---:|---|---|---:|---:|---:|")
	for i := range r.Plan.Partitions {
		p := &r.Plan.Partitions[i]
		line("| %s | %s | %s | %s | %s | %s |", id(p.ID), escape(p.Site), escape(p.Tier), words.Count(p.Tags), words.Short(p.Weight),
			workers(p))
	}
	line("")
	line("</details>")
	if r.Next != "" {
		line("")
		line("Next: %s", code(r.Next))
	}
	return out.Flush()
}

func workers(p *plan.Partition) string {
	if p.Workers == 0 {
		return "single node"
	}
	return words.Count(p.Workers)
}

// fewRows is how many changed tags a pull request's comment lists; a comment may not exceed 65,536 characters.
const fewRows = 100

func markdownChanges(line func(string, ...any), c *plan.Changes) {
	if c == nil {
		return
	}
	line("")
	line("### Changes")
	line("")
	if c.Empty() {
		line("None since the last bundle.")
		return
	}
	line("```diff")
	for _, l := range changes(c, longSettings) {
		kind := l.kind
		if kind == plan.Change {
			kind = "!" // what GitHub's diff colours as a change
		}
		line("%s", clean(fmt.Sprintf("%s %s: %s", kind, l.what, l.where)))
	}
	line("```")
	if len(c.Tags) == 0 {
		return
	}
	line("")
	line("<details><summary>%s</summary>", words.Plural(len(c.Tags), "tag"))
	line("")
	line("| | tag | site | |")
	line("|---|---|---|---|")
	for i, t := range c.Tags {
		if i == fewRows {
			line("| | and %s more | | |", words.Count(len(c.Tags)-fewRows))
			break
		}
		line("| %s | %s | %s | %s |", code(t.Kind), escapeName(fit(t.Tag, 100)), escape(t.Site), escapeName(fit(tagLine(t), 120)))
	}
	line("")
	line("</details>")
}

// escape keeps a text from being read as Markdown or HTML.
func escape(s string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|~&@", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// escapeName is escape for a name that anybody may have given: it keeps GitHub from
// making a link or a formula of it, too.
func escapeName(s string) string { return noLinks.Replace(escape(s)) }

var noLinks = strings.NewReplacer("://", "\\://", "www.", "www\\.", "WWW.", "WWW\\.", "$", "\\$")

// code sets a text as code, whatever backticks it has.
func code(s string) string {
	s = strings.ReplaceAll(clean(s), "|", "\\|")
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}
