package localrun

import (
	"path/filepath"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// budget is what bounds the extractions that run at once: this machine, and what
// each site bears.
type budget struct {
	sideBySide int
	sites      map[string]manifest.Limits // by name
}

// newBudget reads the sites' limits from the bundle. Without them, the tasks
// themselves say what is wrong with it.
func newBudget(bundleDir string, sideBySide int) budget {
	b := budget{sideBySide: sideBySide, sites: map[string]manifest.Limits{}}
	if s, err := manifest.LoadSites(filepath.Join(bundleDir, manifest.SitesFile)); err == nil {
		for _, site := range s.Sites {
			b.sites[site.Name] = site.Limits
		}
	}
	return b
}

// fits says whether an extraction may run beside those that run: as many at
// once as the machine and the site's budget bear, and always one.
func (b budget) fits(running []*scheduled, next *scheduled) bool {
	if next.spec.params.Task != manifest.TaskExtract {
		return true
	}
	extractions, connections := 0, next.spec.params.Limits.Connections
	alone := true
	for _, r := range running {
		if r.spec.params.Task != manifest.TaskExtract {
			continue
		}
		extractions++
		if r.spec.params.Site == next.spec.params.Site {
			connections, alone = connections+r.spec.params.Limits.Connections, false
		}
	}
	site, known := b.sites[next.spec.params.Site]
	return extractions < b.sideBySide && (alone || !known || connections <= site.Connections)
}
