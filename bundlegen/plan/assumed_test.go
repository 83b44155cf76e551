package plan_test

import (
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/plan/plantest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A person's word counts more than a measurement, and that more than a default.
func TestWhereConstantsAreFrom(t *testing.T) {
	cfg := pipeline(1)
	cfg.Forecast = map[string]float64{"pi_tag": 0.01}
	measured := &plan.Calibration{
		File:      "calibration.json",
		Constants: constants.Of(map[string]float64{"pi_request": 0.2, "pi_tag": 0.02}, "calibration.json, measured over 7 runs"),
	}
	p, err := plan.Build(cfg, plantest.Inventory(cfg, tags("a", 30000)), nil, plan.Options{Calibration: measured})
	require.NoError(t, err)
	assert.Equal(t, "calibration.json", p.Assumed.Calibration)
	for _, c := range p.Assumed.Constants {
		switch c.Name {
		case "pi_tag":
			assert.Equal(t, 0.01, c.Value)
			assert.Equal(t, "pipeline.yml", c.Source)
		case "pi_request":
			assert.Equal(t, 0.2, c.Value)
			assert.Equal(t, "calibration.json, measured over 7 runs", c.Source)
		default:
			byDefault, _ := constants.Find(c.Name)
			assert.Equal(t, byDefault.Value, c.Value)
			assert.Equal(t, byDefault.Source, c.Source)
		}
	}
	assert.Less(t, p.Forecast.ExtractSeconds, build(t, pipeline(1), tags("a", 30000), nil).Forecast.ExtractSeconds)

	all := choices(t, cfg, p)
	modelled := one(t, all, func(c plan.Choice) bool { return c.Kind == plan.ChoicePool && c.Partitions == 10 })
	assert.InDelta(t, p.Forecast.ExtractSeconds, modelled.ExtractSeconds, 0.1, "choices rest on the same constants")
}

// A price that is used for nothing is a slip: it is named, with the nearest.
func TestPricesThatPriceNothing(t *testing.T) {
	cfg := pipeline(1)
	cfg.Prices = map[string]float64{"aws/m5d.xlrage": 0.2, "aws/x9.huge": 3, "aws/x9.huge/dbu": 2, "aws/jobs": 0.1, "aws/m5d.xlarge/dbu": 1}
	p := build(t, cfg, tags("a", 100), nil)
	require.Contains(t, codes(p), plan.WarnPrices)
	for _, w := range p.Warnings {
		if w.Code == plan.WarnPrices {
			assert.Equal(t, []string{"aws/m5d.xlrage"}, w.Names)
			assert.Equal(
				t,
				[]plan.Advice{
					{Settings: []plan.Setting{{Key: "prices.aws/m5d.xlarge"}}, Effect: plan.Effect{Kind: plan.EffectNearestKey, Of: "aws/m5d.xlrage"}},
				},
				w.Advice,
			)
		}
	}
	delete(cfg.Prices, "aws/m5d.xlrage")
	assert.NotContains(t, codes(build(t, cfg, tags("a", 100), nil)), plan.WarnPrices)

	cfg.Compute.NodeType = "m5dn.xlarge"
	for _, w := range build(t, cfg, tags("a", 100), nil).Warnings {
		if w.Code == plan.WarnNodePrice {
			assert.Equal(t, []string{"m5dn.xlarge"}, w.Names)
			assert.Equal(t, plan.Figures{StandIn: "m5d.xlarge", Nearest: "m5d.xlarge"}, w.Figures)
			return
		}
	}
	t.Fatal("an unknown node type is not named")
}
