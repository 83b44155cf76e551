package bundle

import (
	"bytes"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

const bytesPerRow = 80 // a guess that saves growing the buffer

// manifestData renders the tags of a partition.
func manifestData(part plan.Partition) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(inventory.Header) + bytesPerRow*len(part.Members))
	err := inventory.Write(&b, part.Members)
	return b.Bytes(), err
}
