package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// File is the name of the plan in a bundle's root.
const File = "plan.json"

// Previous is what an earlier bundle says: the state that the next plan keeps
// to as far as it can, and is compared with.
type Previous struct {
	Settings   string // Plan.Settings of the earlier plan; "" when unknown
	Partitions []PreviousPartition
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
// planning without it would move every tag.
func ReadPrevious(bundle string) (*Previous, error) {
	ids, err := manifestIDs(bundle)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	prev := &Previous{Partitions: make([]PreviousPartition, len(ids))}
	err = each(len(ids), func(i int) error {
		return readManifest(bundle, ids[i], &prev.Partitions[i])
	})
	if err != nil {
		return nil, err
	}
	return prev, prev.readPlan(bundle)
}

// manifestIDs lists the partitions of a bundle, ascending.
func manifestIDs(bundle string) ([]int, error) {
	folder := filepath.Join(bundle, manifest.Folder)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, e := range entries {
		number, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".csv"), "partition-")
		if !ok || !strings.HasSuffix(e.Name(), ".csv") {
			continue
		}
		id, err := strconv.Atoi(number)
		if err != nil || id < 0 || id > math.MaxInt32 || manifest.FileName(id) != e.Name() {
			return nil, damaged(filepath.Join(folder, e.Name()), "a manifest is named like "+manifest.FileName(7))
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

func readManifest(bundle string, id int, into *PreviousPartition) error {
	file := filepath.Join(bundle, manifest.Folder, manifest.FileName(id))
	tags, err := manifest.Load(file)
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), "\n") // its hint is for who writes an inventory
		return damaged(file, strings.TrimPrefix(what, file+": "))
	}
	if len(tags) == 0 {
		return damaged(file, "it has no tags")
	}
	*into = PreviousPartition{ID: id, Site: tags[0].Site, Tier: tags[0].Tier, Tags: make([]PreviousTag, len(tags))}
	for i := range tags {
		t := &tags[i]
		if t.Site != into.Site || t.Tier != into.Tier {
			return damaged(file, fmt.Sprintf("it mixes site %s, tier %s with site %s, tier %s", into.Site, into.Tier, t.Site, t.Tier))
		}
		into.Tags[i] = PreviousTag{Name: t.Name, PointID: t.PointID, attributes: attributesOf(t)}
	}
	packNames(into.Tags)
	into.Site, into.Tier = strings.Clone(into.Site), strings.Clone(into.Tier)
	return nil
}

// readPlan takes the settings' hash from plan.json and compares the list of
// partitions. A bundle without that file is fine: the manifests are the state.
func (prev *Previous) readPlan(bundle string) error {
	file := filepath.Join(bundle, File)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return damaged(file, err.Error())
	}
	if version.Version > Version {
		return fmt.Errorf("%s: version %d was made by a newer bundlegen; allowed: up to %d\nhint: update bundlegen; nothing was changed", file, version.Version, Version)
	}
	var p struct {
		Settings   string `json:"settings_id"`
		Partitions []struct {
			ID   int `json:"partition_id"`
			Tags int `json:"tags"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return damaged(file, err.Error())
	}
	prev.Settings = p.Settings
	listed := make(map[int]bool, len(p.Partitions))
	for _, part := range p.Partitions {
		listed[part.ID] = true
	}
	for _, part := range prev.Partitions {
		if !listed[part.ID] {
			return damaged(file, "it does not have "+manifest.FileName(part.ID)+", which is there")
		}
		delete(listed, part.ID)
	}
	for _, part := range p.Partitions {
		if listed[part.ID] {
			return damaged(filepath.Join(bundle, manifest.Folder), manifest.FileName(part.ID)+" is missing, which "+File+" has")
		}
	}
	return nil
}

func damaged(file, what string) error {
	return fmt.Errorf("%s: the earlier bundle is damaged: %s\nhint: restore the folder, by `git checkout` or from a backup; nothing was changed", file, what)
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
