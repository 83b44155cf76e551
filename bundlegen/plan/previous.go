package plan

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// File is the name of the plan in a bundle's root.
const File = "plan.json"

// maxFile is the size of the largest plan.json or manifest that is read, in bytes: one
// partition may have a million tags.
const maxFile = 256 << 20

// Previous is what an earlier bundle says: the state that the next plan keeps
// to as far as it can, and is compared with.
type Previous struct {
	Settings   string            // Plan.Settings of the earlier plan
	Values     map[string]string // Plan.Values of it; nil = it is of a version that did not record them
	Partitions []PreviousPartition
	bySite     map[string][]origin // each site's tags, in order of name
}

// seed is that of all hashes of attributes: they are compared within this process only.
var seed = maphash.MakeSeed()

// PreviousPartition is one manifest.
type PreviousPartition struct {
	ID         int
	Site, Tier string
	Tags       []PreviousTag
}

// PreviousTag is what is remembered of a tag.
type PreviousTag struct {
	Name       string
	PointID    int64  // 0: unknown
	attributes uint64 // hash of all else that the manifest says
}

// ReadPrevious reads the manifests of the bundle in a folder, and which
// settings it was made with. It is nil, without an error, where there is no
// bundle. A bundle that is damaged, or that a newer program made, is an error:
// planning without it, or with a part of it, would move tags for nothing.
// plan.json is what tells that manifests are missing or not whole, so there is
// no bundle without it.
func ReadPrevious(dir string) (*Previous, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read: closing cannot lose anything
	prev, err := (&earlier{dir, root}).read()
	return prev, regular.Within(dir, err)
}

// earlier is the folder of an earlier bundle. No link in it is followed out of it:
// an error may show what a file says.
type earlier struct {
	dir  string
	root *os.Root
}

// path is a file or folder of the bundle, as an error names it.
func (e *earlier) path(name string) string { return filepath.Join(e.dir, name) }

// readFile reads a file whole.
func (e *earlier) readFile(name string) ([]byte, error) {
	data, err := regular.ReadIn(e.root, name, maxFile)
	return data, e.named(err)
}

// named returns an error with a path that leads to the file from where the program runs.
func (e *earlier) named(err error) error {
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		wrong.Path = e.path(wrong.Path)
	}
	return err
}

// manifestName is the manifest of a partition, below the bundle's folder.
func manifestName(id int) string { return filepath.Join(manifest.Folder, manifest.FileName(id)) }

func (e *earlier) read() (*Previous, error) {
	ids, err := e.manifestIDs()
	if err != nil {
		return nil, err
	}
	record, err := e.readPlan()
	switch {
	case err != nil:
		return nil, err
	case record == nil && len(ids) == 0:
		return nil, nil
	case record == nil:
		return nil, damaged(e.path(File), "it is missing, and "+manifest.FileName(ids[0])+" is there", restore)
	}
	if err := record.compare(e.dir, ids); err != nil {
		return nil, err
	}
	prev := &Previous{Settings: record.settings, Values: record.values, Partitions: make([]PreviousPartition, len(ids))}
	err = each(len(ids), func(i int) error {
		return e.readManifest(ids[i], record.tags[ids[i]], &prev.Partitions[i])
	})
	if err != nil {
		return nil, err
	}
	prev.index()
	return prev, prev.distinct(e)
}

// manifestIDs lists the partitions of a bundle, ascending.
func (e *earlier) manifestIDs() ([]int, error) {
	entries, err := fs.ReadDir(e.root.FS(), manifest.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, e.named(err)
	}
	var ids []int
	for _, entry := range entries {
		name := entry.Name()
		number, ok := strings.CutPrefix(strings.TrimSuffix(name, ".csv"), "partition-")
		if !ok || !strings.HasSuffix(name, ".csv") {
			continue
		}
		id, err := strconv.Atoi(number)
		if err != nil || id < 0 || id > math.MaxInt32 || manifest.FileName(id) != name {
			return nil, damaged(e.path(filepath.Join(manifest.Folder, name)), "a manifest is named like "+manifest.FileName(7), restore)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// readManifest reads the manifest of a partition, which has to have so many tags.
func (e *earlier) readManifest(id, want int, into *PreviousPartition) error {
	name := manifestName(id)
	file := e.path(name)
	f, err := regular.OpenIn(e.root, name)
	if err != nil {
		return e.named(err)
	}
	defer f.Close() // only read: closing cannot lose anything
	if err := e.whole(name, f); err != nil {
		return err
	}
	tags, err := manifest.Read(f, file)
	if err != nil {
		return e.unreadable(name, err)
	}
	*into = PreviousPartition{ID: id, Site: tags[0].Site, Tier: tags[0].Tier, Tags: make([]PreviousTag, len(tags))}
	for i := range tags {
		t := &tags[i]
		if t.Site != into.Site || t.Tier != into.Tier {
			return damaged(file, fmt.Sprintf("it mixes site %s, tier %s with site %s, tier %s", into.Site, into.Tier, t.Site, t.Tier), restore)
		}
		into.Tags[i] = PreviousTag{Name: t.Name, PointID: t.PointID, attributes: attributesOf(t)}
	}
	if len(tags) != want {
		return damaged(file, fmt.Sprintf("it has %s, where %s says %s", words.Plural(len(tags), "tag"), File, words.Count(want)), restore)
	}
	packNames(into.Tags)
	into.Site, into.Tier = strings.Clone(into.Site), strings.Clone(into.Tier)
	return nil
}

// index puts each site's tags in order of name.
func (prev *Previous) index() {
	prev.bySite = map[string][]origin{}
	for i, p := range prev.Partitions {
		for k := range p.Tags {
			prev.bySite[p.Site] = append(prev.bySite[p.Site], origin{int32(i), int32(k)})
		}
	}
	sites := slices.Sorted(maps.Keys(prev.bySite))
	_ = each(len(sites), func(s int) error {
		slices.SortFunc(prev.bySite[sites[s]], func(a, b origin) int {
			return cmp.Or(strings.Compare(prev.tag(a).Name, prev.tag(b).Name), cmp.Compare(a.part, b.part))
		})
		return nil
	})
}

// distinct refuses a name that a site has in two manifests of an indexed bundle.
func (prev *Previous) distinct(e *earlier) error {
	sites := slices.Sorted(maps.Keys(prev.bySite))
	return each(len(sites), func(s int) error {
		all := prev.bySite[sites[s]]
		for i := 1; i < len(all); i++ {
			if a, b := all[i-1], all[i]; prev.tag(a).Name == prev.tag(b).Name {
				return prev.twice(e, a, b)
			}
		}
		return nil
	})
}

// site lists a site's tags in order of name; none where there is no earlier bundle.
func (prev *Previous) site(name string) []origin {
	if prev == nil {
		return nil
	}
	return prev.bySite[name]
}

// tag returns what is remembered of a tag.
func (prev *Previous) tag(o origin) *PreviousTag { return &prev.Partitions[o.part].Tags[o.tag] }

// record is what plan.json says of its bundle.
type record struct {
	settings string
	values   map[string]string
	tags     map[int]int // number of tags of each partition
}

// readPlan reads plan.json; it is nil where there is none.
func (e *earlier) readPlan() (*record, error) {
	file := e.path(File)
	data, err := e.readFile(File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// The version first: what a newer program wrote may be wrong in our eyes.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, notJSON(file, data, err)
	}
	switch {
	case head.Version > Version:
		return nil, diag.WithHint(fmt.Errorf("%s: version %d was made by a newer bundlegen; allowed: up to %d", file, head.Version, Version),
			"update bundlegen; nothing was changed")
	case head.Version < 1:
		return nil, damaged(file, fmt.Sprintf("its version is %d; allowed: 1 to %d", head.Version, Version), restore)
	}
	var p struct {
		Settings   string            `json:"settings_id"`
		Values     map[string]string `json:"settings"`
		Partitions []struct {
			ID   int `json:"partition_id"`
			Tags int `json:"tags"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, notJSON(file, data, err)
	}
	r := &record{settings: p.Settings, values: p.Values, tags: make(map[int]int, len(p.Partitions))}
	for _, part := range p.Partitions {
		r.tags[part.ID] = part.Tags
	}
	return r, nil
}

// compare checks that the manifests that are there are those that plan.json has.
func (r *record) compare(bundle string, ids []int) error {
	there := make(map[int]bool, len(ids))
	for _, id := range ids {
		if _, ok := r.tags[id]; !ok {
			return damaged(filepath.Join(bundle, File), "it does not have "+manifest.FileName(id)+", which is there", restore)
		}
		there[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(r.tags)) {
		if !there[id] {
			return damaged(filepath.Join(bundle, manifest.Folder), manifest.FileName(id)+" is missing, which "+File+" has", restore)
		}
	}
	return nil
}

// attributesOf is a hash of everything in a manifest's row but the tag's name, id and place.
func attributesOf(t *inventory.Tag) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, s := range [...]string{t.WebID, t.PointType, t.Units, t.DigitalSet, t.Descriptor} {
		_, _ = h.WriteString(s) // never fails
		_ = h.WriteByte(0)      // control characters are in no text: this ends one
	}
	rate := t.EventsPerHour
	if rate < 0 {
		rate = -1
	}
	bits := math.Float64bits(rate) << 1 // a rate is positive: the sign's place is free
	if t.Future {
		bits |= 1
	}
	for range 8 {
		_ = h.WriteByte(byte(bits))
		bits >>= 8
	}
	return h.Sum64()
}
