package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// archiveFlags define the archive: serve and oracle share them.
func archiveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "tags", Value: 1000, Usage: "number of PI points"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "seed of the archive: another seed, other events"},
		&cli.StringFlag{Name: "data-server", Value: "PISRV1", Usage: "name of the PI Data Archive"},
		&cli.Float64Flag{Name: "events-per-hour", Usage: "mean over all tags; 0 keeps the natural mix of about 146"},
		&cli.DurationFlag{Name: "uniform", Usage: "exactly one event per tag in each interval of this length, such as 1s"},
		&cli.StringSliceFlag{Name: "point-type", Usage: "`TYPE=WEIGHT`, such as Float32=9; repeatable; default is a mix of all types"},
		&cli.IntFlag{Name: "burst-size", Value: 1200, Usage: "events that share one timestamp in a burst"},
		&cli.StringFlag{Name: "web-id-type", Value: "Full", Usage: "kind of the WebIDs: Full, IDOnly, PathOnly"},
		&cli.StringFlag{Name: "now", Usage: "stop the server's clock at this `INSTANT`, such as 2026-01-31T12:00:00Z"},
		&cli.StringSliceFlag{Name: "quirk", Usage: "turn a quirk on; repeatable (see pi-simulator quirks)"},
		&cli.StringSliceFlag{Name: "no-quirk", Usage: "turn a quirk off; repeatable"},
	}
}

// archiveOptions reads archiveFlags.
func archiveOptions(c *cli.Context) (simulator.Options, error) {
	o := simulator.Options{
		Seed:          c.Uint64("seed"),
		Tags:          c.Int("tags"),
		DataServer:    c.String("data-server"),
		EventsPerHour: c.Float64("events-per-hour"),
		Uniform:       c.Duration("uniform"),
		BurstSize:     c.Int("burst-size"),
	}
	for name, negative := range map[string]bool{
		"tags": o.Tags < 0, "events-per-hour": o.EventsPerHour < 0, "uniform": o.Uniform < 0, "burst-size": o.BurstSize < 0,
	} {
		if negative {
			return o, fmt.Errorf("--%s may not be negative", name)
		}
	}
	if o.Uniform > 0 && o.EventsPerHour > 0 {
		return o, diag.WithHint(fmt.Errorf("--uniform and --events-per-hour cannot be combined"), "give one of them")
	}
	if o.Uniform > 0 && o.Uniform%time.Millisecond != 0 {
		return o, fmt.Errorf("--uniform %s is not a whole number of milliseconds", o.Uniform)
	}
	var err error
	if o.WebIDType, err = simulator.ParseWebIDType(c.String("web-id-type")); err != nil {
		return o, fmt.Errorf("--web-id-type: %w", err)
	}
	if o.PointTypes, err = pointTypes(c.StringSlice("point-type")); err != nil {
		return o, fmt.Errorf("--point-type: %w", err)
	}
	if o.Quirks, err = quirks(c.StringSlice("quirk")); err != nil {
		return o, fmt.Errorf("--quirk: %w", err)
	}
	if o.WithoutQuirks, err = quirks(c.StringSlice("no-quirk")); err != nil {
		return o, fmt.Errorf("--no-quirk: %w", err)
	}
	if text := c.String("now"); text != "" {
		now, err := instant.Parse(text)
		if err != nil {
			return o, fmt.Errorf("--now: %w", err)
		}
		o.Clock = func() instant.Ticks { return now }
	}
	return o, nil
}

func quirks(names []string) ([]simulator.Quirk, error) {
	var list []simulator.Quirk
	for _, name := range names {
		q, err := simulator.ParseQuirk(name)
		if err != nil {
			var known []string
			for _, q := range simulator.Quirks() {
				known = append(known, q.Name)
			}
			return nil, diag.WithHint(err, "%spi-simulator quirks says what each does", suggest.Lead(name, known))
		}
		list = append(list, q)
	}
	return list, nil
}

func pointTypes(pairs []string) (map[simulator.PointType]int, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	weights := map[simulator.PointType]int{}
	for _, pair := range pairs {
		name, text, given := strings.Cut(pair, "=")
		t, err := simulator.ParsePointType(name)
		if err != nil {
			return nil, err
		}
		weight := 1
		if given {
			if weight, err = strconv.Atoi(text); err != nil || weight < 0 || weight > 1000 {
				return nil, fmt.Errorf("%q is not a weight; allowed: 0 to 1000", text)
			}
		}
		weights[t] = weight
	}
	return weights, nil
}
