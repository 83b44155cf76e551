package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/history"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/bundlegen/workflow"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "shows where a tag is and why",
		ArgsUsage: "TAG",
		Description: `A name that several sites have is explained for each. A name that begins
with - comes after --. If no tag has exactly this name, case is ignored.`,
		Flags: []cli.Flag{
			configFlag,
			&cli.StringFlag{Name: "data", Usage: "the data `FOLDER` of local runs: when the tag moved, up to when it is landed, and its " +
				"last error; by default data, if a local run has landed there"},
			outputFlag("text or json", "text", "json"),
		},
		Before: commandline.OneArgument(diag.WithHint(errors.New("which tag?"),
			"bundlegen explain TAG; a name that begins with - comes after --"), "put a name with spaces in quotes"),
		OnUsageError: func(c *cli.Context, err error, sub bool) error {
			return fmt.Errorf("%w; a tag that begins with - comes after --", commandline.UsageError(c, err, sub))
		},
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			format, err := outputFormat(c, "the explanation")
			if err != nil {
				return err
			}
			project, err := planned(c, workflow.Options{})
			if err != nil {
				return err
			}
			all := project.Regions
			list, asked, err := explain(c, all, name)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return noTag(all, name)
			}
			if format == "json" {
				return report.ExplainJSON(c.App.Writer, list)
			}
			s := screenOf(c.App.Writer)
			return report.ExplainText(c.App.Writer, list, asked, report.Options{Width: s.width, Color: s.color})
		},
	}
}

// explain returns what the plans of all bundles, and the data folder if there is one,
// know of a name, and whether a data folder was asked.
func explain(c *cli.Context, all []*workflow.Region, name string) (list []report.Explanation, asked bool, err error) {
	var keys []history.Key
	for _, p := range all {
		for _, place := range p.Plan.Explain(p.Previous, name) {
			list = append(list, report.Explanation{Place: place})
			if place.PointID != 0 {
				keys = append(keys, history.Key{Site: place.Site, PointID: place.PointID})
			}
		}
	}
	cfg := all[0].Config // what it says of data is the same in each region
	data := dataOf(c, cfg)
	if data == "" {
		return list, false, nil
	}
	tag := name
	if len(list) > 0 {
		tag = list[0].Tag // as it is really written
	}
	histories, err := history.Tags(c.Context, data, cfg.Key(), tag, keys)
	if errors.Is(err, history.ErrInUse) && !c.IsSet("data") {
		fmt.Fprintf(c.App.ErrWriter, "note: a run has %s: what it has landed is left out\n", text.Line(data))
		return list, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for i := range histories {
		h := &histories[i]
		at := slices.IndexFunc(list, func(e report.Explanation) bool { return e.History == nil && isOf(h, &e.Place) })
		if at < 0 {
			list = append(list, report.Explanation{Place: onlyLanded(h)})
			at = len(list) - 1
		}
		list[at].History = historyOf(h)
	}
	return list, true, nil
}

// isOf reports whether a history is that of a place's tag.
func isOf(h *history.Tag, p *plan.Place) bool {
	if h.Key.Site != p.Site {
		return false
	}
	return h.Key.PointID == p.PointID || p.PointID == 0 && h.Name == p.Tag
}

// onlyLanded returns the place of a tag that the plan does not know, but the tables do.
func onlyLanded(h *history.Tag) plan.Place {
	last := h.Owners[len(h.Owners)-1]
	place := plan.Place{Site: h.Key.Site, Tag: h.Name, PointID: h.Key.PointID, Tier: last.Tier, Partition: last.Partition, Before: -1}
	switch {
	case !last.To.IsZero():
		place.Partition, place.Reason = -1, plan.ReasonLeft
	case last.Discovered:
		place.Reason = plan.ReasonDiscovered
	default:
		place.Reason = plan.ReasonRemoved
	}
	return place
}

func historyOf(h *history.Tag) *report.History {
	out := &report.History{Pinned: h.Pinned && h.Landed != 0}
	for _, o := range h.Owners {
		owned := report.Owned{Partition: o.Partition, Tier: o.Tier, Name: o.Name, From: o.From}
		if !o.To.IsZero() {
			owned.To = &o.To
		}
		out.Owners = append(out.Owners, owned)
	}
	if h.Landed != 0 {
		out.LandedUntil = pointer(h.Landed.Time())
	}
	if f := h.Failed; f != nil {
		out.LastError = &report.LastError{Error: f.Error, At: f.At, RunID: f.RunID}
	}
	return out
}

func pointer(t time.Time) *time.Time { return &t }

// noTag is the error for an unknown name.
func noTag(all []*workflow.Region, name string) error {
	var names []string
	for _, p := range all {
		names = append(names, p.Plan.Names()...)
	}
	near := suggest.NearestFirst(name, names, 3)
	if len(near) == 0 {
		return diag.WithHint(fmt.Errorf("no tag is called %q", name),
			"%s lists the pipeline's %s", all[0].Config.Inventory, words.Plural(len(names), "tag"))
	}
	for i := range near {
		near[i] = fmt.Sprintf("%q", near[i])
	}
	return diag.WithHint(fmt.Errorf("no tag is called %q", name), "%s", suggest.DidYouMean(near...))
}
