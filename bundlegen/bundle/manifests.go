package bundle

import (
	"bytes"
	"path"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// bytesPerRow is a guess that saves growing a manifest while it is written.
const bytesPerRow = 80

// manifestFiles renders the partitions, on all processors.
func manifestFiles(partitions []plan.Partition) ([]File, error) {
	files := make([]File, len(partitions))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, part := range partitions {
		g.Go(func() error {
			defer crash.Exit()
			size := len(inventory.Header) + bytesPerRow*len(part.Members)
			data, err := manifest.Append(make([]byte, 0, size), part.Members)
			files[i] = File{Path: path.Join(manifest.Folder, manifest.FileName(part.ID)), Data: data}
			return err
		})
	}
	return files, g.Wait()
}

// leftOutFiles renders the rows of tier none, which discover must not take for new
// points; nothing where there are none.
func leftOutFiles(left []inventory.Tag) ([]File, error) {
	if len(left) == 0 {
		return nil, nil
	}
	var data bytes.Buffer
	err := inventory.Write(&data, left)
	return []File{{Path: path.Join(manifest.Folder, manifest.LeftOutFile), Data: data.Bytes()}}, err
}
