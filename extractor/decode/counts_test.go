package decode_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/decode"
)

func TestSummaryCounts(t *testing.T) {
	summary := func(name, value string) string {
		return fmt.Sprintf(`{"WebId":"id-%s","Name":"%[1]s","Path":"\\\\srv\\%[1]s","Items":[{"Type":"Total","Value":{"Value":9}},`+
			`{"Type":"Count","Value":%s}],"Links":{}}`, name, value)
	}
	all := wants("a", "b", "c", "d", "e", "f", "g", "h", "absent")
	counts, failures, err := decode.SummaryCounts(strings.NewReader("\xef\xbb\xbf"+`{"Links":{},"Items":[`+strings.Join([]string{
		summary("b", `{"Timestamp":"2016-02-12T12:28:57Z","Value":3600.0,"Good":true}`),
		summary("a", `{"Value":0}`),
		summary("c", `{"Value":5,"Good":false}`),
		summary("d", `{"Value":{"Name":"No Data","Value":248,"IsSystem":true},"Good":true}`),
		summary("e", `{"Value":null,"Good":true,"Errors":[{"FieldName":"Value","Message":["[-11091]"]}]}`),
		summary("f", `{"Value":-1}`),
		`{"Name":"G","Items":[{"Type":"Total","Value":{"Value":9}}]}`,
		`{"WebId":"id-h","WebException":{"StatusCode":403,"Errors":["no access"]}}`,
	}, ",")+`]}`), all)
	require.NoError(t, err)
	assert.Equal(t, []int64{0, 3600, 0, 0, 0, 0, 0, 0, 0}, counts)
	assert.NoError(t, failures[0])
	assert.NoError(t, failures[1])
	for _, i := range []int{2, 3, 5, 6, 8} {
		assert.ErrorIs(t, failures[i], decode.ErrAbsent)
	}
	assert.ErrorContains(t, failures[3], "No Data")
	assert.ErrorContains(t, failures[4], "[-11091]")
	var e *decode.WebException
	require.ErrorAs(t, failures[7], &e)
	assert.Equal(t, 403, e.StatusCode)
}

func TestSummaryCountsOfBadBodies(t *testing.T) {
	var exception *decode.WebException
	var format *decode.FormatError
	var notJSON *decode.NotJSON
	for body, want := range map[string]any{
		`{"WebException":{"StatusCode":500}}`: &exception,
		`{"Errors":["no"]}`:                   &exception,
		`<html>`:                              &notJSON,
		`{"Items":[]}x`:                       &format,
		`{"Items":[{"WebId":5}]}`:             &format,
		`{}`:                                  &format,
		`{"Items":[{"WebId":"who"}]}`:         &format,
		`{"Items":[{"Name":"a"},{"WebId":"id-a"}]}`: &format,
	} {
		_, _, err := decode.SummaryCounts(strings.NewReader(body), wants("a"))
		assert.ErrorAs(t, err, want, body)
	}
}
