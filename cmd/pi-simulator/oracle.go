package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func oracleCommand() *cli.Command {
	return &cli.Command{
		Name:  "oracle",
		Usage: "prints what a server with these flags holds, as CSV",
		Description: "Prints a row per event of the range (after, until], or with --counts a row per\n" +
			"tag. It needs no server and has no clock: events later than now are those that\n" +
			"a server will show then. Exit codes: 0 ok, 1 error, 130 cancelled.",
		Flags: append(archiveFlags(),
			&cli.StringFlag{Name: "after", Usage: "`INSTANT` after which the range begins"},
			&cli.StringFlag{Name: "until", Usage: "`INSTANT` at which the range ends, included"},
			&cli.StringSliceFlag{Name: "tag", Usage: "`NAME` of a tag; repeatable; default is all tags"},
			&cli.BoolFlag{Name: "counts", Usage: "print the number of events of each tag instead of the events"},
		),
		Action: printOracle,
	}
}

func printOracle(c *cli.Context) error {
	o, err := archiveOptions(c)
	if err != nil {
		return badFlag(c, err)
	}
	after, until, err := timeRange(c)
	if err != nil {
		return badFlag(c, err)
	}
	oracle := simulator.NewOracle(o)
	tags := oracle.Tags()
	if names := c.StringSlice("tag"); len(names) > 0 {
		tags = tags[:0]
		for _, name := range names {
			tag, ok := oracle.Find(name)
			if !ok {
				return diag.WithHint(fmt.Errorf("--tag: there is no tag %q", name), "pi-simulator oracle --counts without --tag lists all")
			}
			tags = append(tags, tag)
		}
	}
	w := csv.NewWriter(c.App.Writer)
	if c.Bool("counts") {
		err = printCounts(c.Context, w, oracle, tags, after, until)
	} else {
		err = printEvents(c.Context, w, oracle, tags, after, until)
	}
	w.Flush()
	if err != nil {
		return err
	}
	return w.Error()
}

// timeRange reads --after and --until.
func timeRange(c *cli.Context) (after, until instant.Ticks, err error) {
	for _, name := range []string{"after", "until"} {
		if !c.IsSet(name) {
			return 0, 0, fmt.Errorf("--%s is missing", name)
		}
	}
	if after, err = instant.Parse(c.String("after")); err != nil {
		return 0, 0, fmt.Errorf("--after: %w", err)
	}
	if until, err = instant.Parse(c.String("until")); err != nil {
		return 0, 0, fmt.Errorf("--until: %w", err)
	}
	if until < after {
		return 0, 0, fmt.Errorf("--until %s is before --after %s", until, after)
	}
	return after, until, nil
}

func printCounts(ctx context.Context, w *csv.Writer, oracle *simulator.Oracle, tags []simulator.Tag, after, until instant.Ticks) error {
	if err := w.Write([]string{"tag", "point_id", "point_type", "events"}); err != nil {
		return err
	}
	for _, tag := range tags {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := oracle.Count(tag.Index, after, until)
		if err := w.Write([]string{tag.Name, strconv.FormatInt(tag.PointID, 10), tag.PointType.String(), strconv.Itoa(n)}); err != nil {
			return err
		}
	}
	return nil
}

func printEvents(ctx context.Context, w *csv.Writer, oracle *simulator.Oracle, tags []simulator.Tag, after, until instant.Ticks) error {
	err := w.Write([]string{"tag", "point_id", "timestamp", "value", "value_text", "value_code",
		"quality_good", "quality_questionable", "quality_substituted", "quality_annotated"})
	for _, tag := range tags {
		// a window at a time: a range may hold more than fits into memory
		for from := after; from < until && err == nil; from += instant.Hour {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for _, e := range oracle.Events(tag.Index, from, min(from+instant.Hour, until)) {
				if err == nil {
					err = w.Write(row(tag, e))
				}
			}
		}
	}
	return err
}

// row returns an event as CSV. What an event does not have is empty, like an empty
// text.
func row(tag simulator.Tag, e simulator.Event) []string {
	value, code := "", ""
	if e.HasValue {
		switch value = strconv.FormatFloat(e.Value, 'g', -1, 64); {
		case math.IsNaN(e.Value):
			value = "NaN"
		case math.IsInf(e.Value, 1):
			value = "Infinity"
		case math.IsInf(e.Value, -1):
			value = "-Infinity"
		}
	}
	if e.HasCode {
		code = strconv.Itoa(int(e.Code))
	}
	return []string{tag.Name, strconv.FormatInt(tag.PointID, 10), e.Ticks.String(), value, e.Text, code,
		strconv.FormatBool(e.Good), strconv.FormatBool(e.Questionable), strconv.FormatBool(e.Substituted), strconv.FormatBool(e.Annotated)}
}
