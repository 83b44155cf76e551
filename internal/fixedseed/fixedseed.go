// Package fixedseed makes property tests draw the same values in every run, so
// that a failure can be met again.
package fixedseed

import (
	"flag"
	"fmt"
	"os"
)

// Seed is what properties are drawn from unless -rapid.seed says otherwise.
const Seed = "20260131"

// Set fixes the seed of rapid and says which it is. TestMain calls it before
// the tests run; it parses the flags.
func Set() {
	flag.Parse()
	seed := flag.Lookup("rapid.seed")
	if seed == nil {
		panic("fixedseed: this test does not import pgregory.net/rapid")
	}
	if seed.Value.String() == "0" {
		if err := flag.Set("rapid.seed", Seed); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(os.Stderr, "rapid.seed=%s\n", seed.Value)
}
