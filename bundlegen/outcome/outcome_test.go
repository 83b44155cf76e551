package outcome_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/outcome"
)

func TestAcross(t *testing.T) {
	assert.Equal(t, outcome.OK, outcome.Across())
	assert.Equal(t, outcome.OK, outcome.Across(outcome.OK, outcome.OK))
	assert.Equal(t, outcome.Partial, outcome.Across(outcome.OK, outcome.Partial))
	assert.Equal(t, outcome.Partial, outcome.Across(outcome.OK, outcome.Failed), "one region landed")
	assert.Equal(t, outcome.Failed, outcome.Across(outcome.Failed, outcome.Failed))
	assert.Equal(t, outcome.Cancelled, outcome.Across(outcome.OK, outcome.Cancelled), "the command was cancelled")
}

func TestOutcomesInDocuments(t *testing.T) {
	written, err := json.Marshal([]outcome.Outcome{outcome.OK, outcome.Partial, outcome.Failed, outcome.Cancelled})
	require.NoError(t, err)
	assert.Equal(t, `["ok","partial","failed","cancelled"]`, string(written))
}
