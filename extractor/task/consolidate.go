package task

import (
	"context"
	"fmt"
)

// consolidate runs after all extractions, whatever their outcomes. Only the first
// tier's job does maintenance: two jobs that compact one table would conflict.
func consolidate(ctx context.Context, a *attempt) error {
	if !a.Params.Maintenance {
		return nil
	}
	a.step("compacting watermarks")
	if err := a.Engine.Compact(ctx); err != nil {
		return fmt.Errorf("compact watermarks: %w", err)
	}
	a.step("laying out bronze for readers")
	if err := a.Engine.Optimize(ctx); err != nil {
		return fmt.Errorf("optimize bronze: %w", err)
	}
	return nil
}
