package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// A run in flight installs the wheel that it began with on each cluster that it
// starts, so that a deploy leaves the wheels of earlier ones in place (the bundle's
// skip_artifact_cleanup). These are kept for sure.
const (
	keptWheels = 3
	keptFor    = 24 * time.Hour
)

// removeOldWheels removes wheels of earlier deployments that no run can need anymore.
func (c CLI) removeOldWheels(ctx context.Context, dir, target string) error {
	s, err := c.open(ctx, verb{name: "summary", dir: dir, target: target, quiet: true})
	if err != nil {
		return err
	}
	sum, err := s.summary()
	if err == nil {
		err = s.removeWheels(path.Join(sum.RootPath, "artifacts", ".internal"))
	}
	return s.close(err)
}

func (s *session) removeWheels(folder string) error {
	objects, err := s.client.Workspace.ListAll(s.ctx, workspace.ListWorkspaceRequest{Path: folder})
	if errors.Is(err, apierr.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range oldWheels(objects, time.Now()) {
		if err := s.client.Workspace.Delete(s.ctx, workspace.Delete{Path: name}); err != nil && !errors.Is(err, apierr.ErrNotFound) {
			return fmt.Errorf("%s: %w", path.Base(name), err)
		}
	}
	return nil
}

// oldWheels returns the paths of the wheels to remove: all but the newest ones, and
// none younger than a day, or of an unknown age.
func oldWheels(objects []workspace.ObjectInfo, now time.Time) []string {
	uploaded := func(o workspace.ObjectInfo) int64 { return max(o.CreatedAt, o.ModifiedAt) } // ms since 1970; 0 = unknown
	wheels := slices.DeleteFunc(slices.Clone(objects), func(o workspace.ObjectInfo) bool {
		return path.Ext(o.Path) != ".whl" || uploaded(o) == 0
	})
	slices.SortFunc(wheels, func(a, b workspace.ObjectInfo) int {
		return cmp.Or(cmp.Compare(uploaded(b), uploaded(a)), cmp.Compare(a.Path, b.Path))
	})
	var old []string
	for _, w := range wheels[min(keptWheels, len(wheels)):] {
		if now.Sub(time.UnixMilli(uploaded(w))) > keptFor {
			old = append(old, w.Path)
		}
	}
	return old
}
