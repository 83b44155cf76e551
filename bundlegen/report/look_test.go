package report_test

import (
	"fmt"
	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/stretchr/testify/require"
	"os"
	"testing"
	"time"
)

func show(t *testing.T, title string, cfg *config.Pipeline, list []inventory.Tag) {
	s := time.Now()
	p, err := plan.Build(cfg, list, nil, plan.Options{})
	require.NoError(t, err)
	d := time.Since(s)
	c := plan.Diff(nil, p)
	fmt.Printf("\n=========== %s  (%v)\n", title, d)
	require.NoError(t, report.Text(os.Stdout, report.Report{p, c, "bundlegen generate"}, report.Options{}))
}
func TestLook(t *testing.T) {
	c := pipeline(1, time.Hour)
	show(t, "15", c, tags(c, 15))
	c = pipeline(1, time.Hour)
	show(t, "5000 hourly", c, tags(c, 5000))
	c = pipeline(1, 5*time.Minute)
	show(t, "30000/5m", c, rated(tags(c, 30000)))
	c = pipeline(20, 5*time.Minute)
	show(t, "50000/20", c, tags(c, 50000))
	c = pipeline(200, 15*time.Minute)
	show(t, "1M/200", c, tags(c, 1000000))
	c = pipeline(1, time.Minute)
	c.Tiers = []config.Tier{{Name: "critical", Every: time.Minute, Partitions: 2}, {Name: "bulk", Every: time.Hour}}
	l := tags(c, 30000)
	for i := range l {
		if i >= 500 {
			l[i].Tier = "bulk"
		}
	}
	show(t, "mixed", c, l)
}
