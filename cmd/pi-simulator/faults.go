package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// failTags makes tags fail, as TAG=KIND. A tag's name may have any character.
func failTags(s *simulator.Server, pairs []string) error {
	for _, pair := range pairs {
		i := strings.LastIndexByte(pair, '=')
		if i < 0 {
			return fmt.Errorf("%q is not TAG=KIND", pair)
		}
		how, err := simulator.ParseTagFault(pair[i+1:])
		if err != nil {
			return diag.WithHint(err, "%spi-simulator serve --help", suggest.Lead(pair[i+1:], simulator.TagFaults()))
		}
		if err := s.FailTag(pair[:i], how); err != nil {
			return err
		}
	}
	return nil
}

// faults reads faults: KIND, for every request, or KIND=N, for every N-th.
func faults(pairs []string) (simulator.Faults, error) {
	var f simulator.Faults
	kinds := map[string]*int{
		"cut": &f.CutEvery, "web-exception": &f.WebExceptionEvery, "html": &f.HTMLEvery, "429": &f.TooManyEvery, "hang": &f.HangEvery,
		"401": &f.UnauthorizedEvery, "endless": &f.EndlessEvery, "endless-texts": &f.EndlessTextsEvery,
		"huge-page": &f.HugePageEvery, "endless-points": &f.EndlessPointsEvery,
	}
	for _, pair := range pairs {
		kind, text, given := strings.Cut(pair, "=")
		every, known := kinds[kind]
		if !known {
			names := slices.Sorted(maps.Keys(kinds))
			err := fmt.Errorf("%q is not a fault; allowed: %s", kind, strings.Join(names, ", "))
			return f, diag.WithHint(err, "%spi-simulator serve --help says what each does", suggest.Lead(kind, names))
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
