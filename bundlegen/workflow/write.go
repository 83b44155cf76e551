package workflow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/bundle"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/program"
)

// refuseEdited refuses a bundle that somebody changed by hand, and shows how: which
// files, by the hashes of the last generate, and how they differ from what
// generate would write now.
func refuseEdited(tree *bundle.Tree, dir string) error {
	byHand, err := bundle.HandEdited(dir)
	if err != nil || len(byHand) == 0 {
		return err
	}
	now, err := tree.Compare(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range byHand {
		fmt.Fprintln(&b, e)
		for _, d := range now {
			if d.Path == e.Path {
				b.WriteString(d.UnifiedByHand())
			}
		}
	}
	return handEdited(dir+" was edited by hand, and generate would undo it; nothing was changed", b.String())
}

// Unedited refuses to run a bundle that somebody changed by hand: deploy would too.
func Unedited(dir string) error {
	byHand, err := bundle.HandEdited(dir)
	if err != nil || len(byHand) == 0 {
		return err
	}
	var b strings.Builder
	for i, e := range byHand {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more\n", len(byHand)-i)
			break
		}
		fmt.Fprintln(&b, e)
	}
	return handEdited(dir+" was edited by hand; nothing was run", b.String())
}

// handEdited is the error for a bundle that was edited by hand, with the list of how.
func handEdited(what, list string) error {
	return diag.WithHint(errors.New(what+"\n"+strings.TrimSuffix(list, "\n")),
		"put the change into pipeline.yml, or undo it; bundlegen generate rewrites the folder")
}

// maxListed is how many files a refusal names.
const maxListed = 20

// DistFolder is where a bundle has its wheel, below its folder.
const DistFolder = "dist"

// MakeWheel makes the wheel in a folder below another, unless it is there. No link
// below leads out of that.
func MakeWheel(ctx context.Context, base, below string, arch wheel.Arch, tell func(line string)) (err error) {
	binary, err := wheel.Program(ctx, arch, tell)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var dist *os.Root
	if err = root.MkdirAll(below, 0o755); err == nil {
		dist, err = root.OpenRoot(below)
	}
	if err != nil {
		return diag.WithHint(fmt.Errorf("%s: %w", filepath.Join(base, below), err),
			"it is to be a folder, and no link that leads out of %s", base)
	}
	defer func() { err = errors.Join(err, dist.Close()) }()
	_, err = wheel.Ensure(dist, wheel.Options{Binary: binary, Arch: arch, Version: program.Version()})
	return err
}

// Wheel makes the wheel of a region's bundle, unless it is there. Only
// deploying needs it.
func Wheel(ctx context.Context, r *Region, tell func(line string)) error {
	arch, err := bundle.Processor(r.Config)
	if err != nil {
		return err
	}
	return MakeWheel(ctx, r.Dir(), DistFolder, arch, tell)
}

// ensureWheel makes the wheel, or keeps an existing one if it cannot.
func ensureWheel(ctx context.Context, r *Region, tell func(line string)) error {
	err := Wheel(ctx, r, tell)
	if err == nil || ctx.Err() != nil {
		return err
	}
	entries, _ := os.ReadDir(filepath.Join(r.Dir(), DistFolder)) // the error of making the wheel says more
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) == ".whl" }) {
		return nil
	}
	return fmt.Errorf("the bundle has no wheel: %w", err)
}
