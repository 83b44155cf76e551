package decode_test

import (
	"flag"
	"os"
	"testing"
)

// The properties are checked with the same cases in every run; the flags of
// rapid ask for others.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "20260131", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
