package spark_test

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/bundlegen/bundlegen/extractor/engine/enginetest"
)

// A Delta that ignored tokens would be noticed by the suite. The other promises
// that may be broken are the program's own, and are broken in engine/duckdb.
func TestIgnoredTokenIsCaught(t *testing.T) {
	s := newSubject(t)
	for i, session := range lab.sessions {
		session.Through(withoutTokens{lab.requests[i]})
		defer session.Through(lab.requests[i])
	}
	enginetest.Caught(t, s, "of two attempts with one number one loses", "number 1 of partition 0 was taken twice", "verdict on batch")
}

// withoutTokens passes requests on, and appends without their tokens.
type withoutTokens struct{ io.Writer }

func (w withoutTokens) Write(line []byte) (int, error) {
	var request map[string]any
	if err := json.Unmarshal(line, &request); err != nil {
		return 0, err
	}
	if request["verb"] == "append" {
		request["app"] = ""
	}
	return len(line), json.NewEncoder(w.Writer).Encode(request)
}
