package manifest

import (
	"fmt"
	"io"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// Append appends a partition's manifest to dst: the inventory's header and a
// row for each tag. The tags are those of one partition: of one site and one
// tier, in order of name (bytewise), each once, as inventory.Read accepts them.
// The order is demanded, not made, so that a manifest's rows are where a
// reviewer of a pull request looks for them, and the plan is what is written.
func Append(dst []byte, tags []inventory.Tag) ([]byte, error) {
	dst = append(append(dst, inventory.Header...), '\n')
	for i := range tags {
		t := &tags[i]
		if i > 0 {
			if err := follows(&tags[i-1], t); err != nil {
				return nil, err
			}
		}
		dst = inventory.AppendRow(dst, t)
	}
	return dst, nil
}

// follows returns an error if tag b may not follow tag a in a manifest.
func follows(a, b *inventory.Tag) error {
	switch {
	case a.Site != b.Site || a.Tier != b.Tier:
		return fmt.Errorf(
			"tags %q (site %s, tier %s) and %q (site %s, tier %s) are in one partition",
			a.Name,
			a.Site,
			a.Tier,
			b.Name,
			b.Site,
			b.Tier,
		)
	case a.Name == b.Name && a.PointID == b.PointID:
		return fmt.Errorf("tag %q is there twice in one partition", a.Name)
	case a.Name > b.Name || a.Name == b.Name && a.PointID > b.PointID:
		return fmt.Errorf("tag %q stands before %q: a manifest is in order of name, then of point id", a.Name, b.Name)
	}
	return nil
}

// Read reads a partition's manifest, in order of name. file is its name for
// errors. Sites and tiers are the file's own: they need not be those of today's
// pipeline, since the manifest is also what the next plan is compared with.
func Read(r io.Reader, file string) ([]inventory.Tag, error) {
	return inventory.Read(r, file, inventory.Options{})
}
