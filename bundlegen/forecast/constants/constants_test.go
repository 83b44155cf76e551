package constants_test

import (
	"slices"
	"testing"

	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryConstantIsDescribed(t *testing.T) {
	names := constants.Names()
	require.True(t, slices.IsSorted(names))
	require.Len(t, slices.Compact(names), len(constants.Defaults()), "each name once")
	for _, c := range constants.Defaults() {
		assert.NotEmpty(t, c.Unit, c.Name)
		assert.NotEmpty(t, c.Source, c.Name)
		assert.Positive(t, c.Value, c.Name)
		assert.GreaterOrEqual(t, c.Value, c.Min, c.Name)
		assert.LessOrEqual(t, c.Value, c.Max, c.Name)
		found, ok := constants.Find(c.Name)
		require.True(t, ok)
		assert.Equal(t, c, found)
	}
	_, ok := constants.Find("pi_reqest")
	assert.False(t, ok)
}

func TestTheLaterOverrideWins(t *testing.T) {
	measured := map[string]constants.Override{
		"pi_request": {Value: 0.2, Source: "calibration.json"},
		"pi_tag":     {Value: 0.001, Source: "calibration.json"},
	}
	all := constants.Resolve(measured, constants.Of(map[string]float64{"pi_tag": 0.03, "no_such_thing": 1}, "pipeline.yml"))
	require.Len(t, all, len(constants.Defaults()))
	for _, c := range all {
		switch c.Name {
		case "pi_request":
			assert.Equal(t, 0.2, c.Value)
			assert.Equal(t, "calibration.json", c.Source)
		case "pi_tag":
			assert.Equal(t, 0.03, c.Value)
			assert.Equal(t, "pipeline.yml", c.Source)
		default:
			found, _ := constants.Find(c.Name)
			assert.Equal(t, found, c)
		}
	}
}
