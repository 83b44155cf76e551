package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/simulator"
)

// faults reads what goes wrong: KIND, for every request, or KIND=N, for every N-th.
func faults(pairs []string) (simulator.Faults, error) {
	var f simulator.Faults
	kinds := map[string]*int{
		"cut": &f.CutEvery, "web-exception": &f.WebExceptionEvery, "html": &f.HTMLEvery, "429": &f.TooManyEvery, "hang": &f.HangEvery,
	}
	for _, pair := range pairs {
		kind, text, given := strings.Cut(pair, "=")
		every, known := kinds[kind]
		if !known {
			return f, fmt.Errorf("%q is not a fault; allowed: %s", kind, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
		*every = 1
		if given {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return f, fmt.Errorf("%q is not a whole number of at least 1", text)
			}
			*every = n
		}
	}
	return f, nil
}
