package deploy

import (
	"cmp"
	"context"
	"strings"

	"github.com/databricks/cli/bundle/config"
	"github.com/databricks/databricks-sdk-go"
)

// Look reads a workspace. resolved returns the bundle as it would be deployed: its
// variables replaced, and what the CLI adds.
type Look func(ctx context.Context, client *databricks.WorkspaceClient, resolved func() (*config.Root, error)) error

// Inspect opens the bundle on the target and has look ask the workspace by its API,
// with the credentials of a deployment. It changes nothing.
func (c CLI) Inspect(ctx context.Context, dir, target string, look Look) error {
	s, err := c.open(ctx, verb{name: "doctor", dir: dir, target: target, quiet: true})
	if err != nil {
		return err
	}
	return s.close(look(s.ctx, s.client, func() (*config.Root, error) {
		if _, err := s.execute("validate", "--output", "json"); err != nil {
			said := strings.TrimPrefix(strings.TrimSpace(s.console.finish(false)), "Error: ")
			return nil, &Error{Diagnostics: cmp.Or(said, s.console.clean(err.Error()))}
		}
		return &s.bundle.Config, nil
	}))
}
