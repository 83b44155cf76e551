package workflow

import (
	"context"
	"slices"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/deploy"
)

// TiersWithJobs returns those of tiers that the bundle has a job for: a tier without
// tags has none.
func (r *Region) TiersWithJobs(tiers []string) ([]string, error) {
	b, err := bundle.Read(r.Dir())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(tiers), func(tier string) bool {
		return !slices.ContainsFunc(b.Roots(), func(j bundle.Job) bool { return j.Tier == tier })
	}), nil
}

// Run runs the jobs of a bundle's tiers on Databricks, one after the other, and calls
// ended after each. Jobs of continuous tiers loop once. until is an instant in
// RFC 3339; "" is now.
func Run(ctx context.Context, ws deploy.CLI, r *Region, target, until string, tiers []string,
	ended func(job string, result deploy.RunResult)) error {
	b, err := bundle.Read(r.Dir())
	if err != nil {
		return err
	}
	for _, tier := range tiers {
		for _, j := range b.Roots() {
			if j.Tier != tier || !j.Lands() {
				continue
			}
			params := map[string]string{}
			if until != "" {
				params[bundle.ParameterUntil] = until
			}
			if j.Continuous {
				params[bundle.ParameterLoopSeconds] = "0"
			}
			result, err := ws.Run(ctx, r.Dir(), target, j.Key, params)
			if err != nil {
				return err
			}
			ended(j.Key, result)
		}
	}
	return nil
}
