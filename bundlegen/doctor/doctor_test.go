package doctor_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
)

// Every fault says what is wrong and what to do, in one sentence each.
func TestEveryFaultHasACure(t *testing.T) {
	for _, fault := range doctor.Faults() {
		f := doctor.New(doctor.Fail, "check", "site/a", fault, nil)
		assert.NotEmpty(t, f.What, fault)
		assert.NotEmpty(t, f.Cure, fault)
		assert.NotRegexp(t, regexp.MustCompile(`[.]$`), f.What+f.Cure, fault)
	}
}

func TestReport(t *testing.T) {
	var r doctor.Report
	r.Add(doctor.Fine("dns", "site/b", doctor.HostKnown, doctor.Args{"host": "pi", "addresses": "10.0.0.1"}),
		doctor.New(doctor.Warn, "items", "site/a", doctor.ItemCap, doctor.Args{"cap": "20", "limit": "30"}))
	assert.False(t, r.Red())
	assert.Equal(t, "pi is 10.0.0.1", r.Findings[0].What)
	assert.Equal(t, []string{"site/b", "site/a"}, r.Subjects())
	assert.Equal(t, "write items_per_call: 20, or raise MaxReturnedItemsPerCall on the server", r.Of("site/a")[0].Cure)
	r.Add(doctor.Finding{State: doctor.Fail})
	assert.True(t, r.Red())
	assert.Equal(t, 1, r.Count(doctor.Warn))
}
