package task_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// lists makes partition n of the bundle hold tags of these names, without point ids.
func (p *plant) lists(n int, names ...string) {
	var list []inventory.Tag
	slices.Sort(names)
	for _, name := range names {
		list = append(list, inventory.Tag{Site: "plant-a", Name: name, Tier: "standard", EventsPerHour: -1})
	}
	var text bytes.Buffer
	require.NoError(p.t, inventory.Write(&text, list))
	p.write(manifest.Folder+"/"+manifest.FileName(n), text.String())
}

// tagErrors returns the names in monitoring.tag_errors of a run and a partition.
func (p *plant) tagErrors(run string, partition int) (out []string) {
	rows, err := p.lake.DB().Query(`SELECT tag_name || ': ' || error FROM monitoring.tag_errors WHERE run_id = ? AND partition_id = ? AND point_id IS NULL AND tag_webid IS NULL
AND watermark_ticks IS NULL AND site = 'plant-a' ORDER BY tag_name`, run, partition)
	require.NoError(p.t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		require.NoError(p.t, rows.Scan(&text))
		out = append(out, text)
	}
	return out
}

// A tag that no run ever found is a tag that failed: it is named, with what may be
// meant, and counts for its partition. Blanks around a name and its case do not matter.
func TestTagsThatNeverWere(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 30, WithoutQuirks: []simulator.Quirk{simulator.OddNames}})
	tags := p.server.Oracle().Tags()
	names := []string{strings.ToLower(tags[0].Name) + "  "}
	for _, tag := range tags[1:20] {
		names = append(names, tag.Name)
	}
	typo := strings.Replace(tags[25].Name, "PLANT", "PLNAT", 1)
	p.lists(0, append(slices.Clone(names), typo, `\\PISRV1\`+tags[26].Name)...)
	p.lists(1, "no such tag", "nor this one")
	p.lists(2, tags[27].Name)

	result, err := p.run(manifest.TaskDiscover, nil)
	require.NoError(t, err)
	notes := strings.Join(result.Notes, "\n")
	require.Contains(t, notes, "4 tags of the bundle are not on their server, and count as failed:\n")
	require.Contains(t, notes, fmt.Sprintf("plant-a: %q: its site has no point of this name, or its user may not see it; did you mean %q?\n", typo, tags[25].Name))
	require.Contains(t, notes, fmt.Sprintf(`it is a path: the inventory has names alone, such as %q`, tags[26].Name))
	require.NotContains(t, notes, "any more")
	require.Len(t, p.tagErrors("run-1", 0), 2)
	require.Len(t, p.tagErrors("run-1", 1), 2)

	result, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	require.Equal(t, batch.Partial, result.Status, "2 of 22, and a tenth may fail")
	require.Equal(t, []int{20, 2}, []int{result.Tags, result.Failed})
	require.Contains(t, strings.Join(result.Notes, "\n"), "2 of 22 tags could not be read (all in monitoring.tag_errors), for instance ")
	var failed int
	var status string
	require.NoError(t, p.lake.DB().QueryRow(`SELECT tags_failed, status FROM monitoring.pipeline_metrics WHERE task = 'extract' AND `+
		`status <> 'CATCHING_UP'`).Scan(&failed, &status))
	require.Equal(t, 2, failed)
	require.Equal(t, batch.Partial, status)

	p.params.Partition = 1
	result, err = p.run(manifest.TaskExtract, nil)
	require.ErrorIs(t, err, task.ErrFailed)
	require.ErrorContains(t, err, "none of 2 tags could be read\nfor instance \"no such tag\": its site has no point of this name")
	require.Equal(t, batch.Failed, result.Status)
	p.params.Partition = 2
	result, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	require.Equal(t, batch.Succeeded, result.Status)
	_, err = p.run(manifest.TaskValidate, nil)
	require.ErrorContains(t, err, "extraction of partition 1: FAILED")

	t.Log("the next run tells the same, and when nothing is new, too")
	p.params.RunID, p.params.Partition = "run-2", 0
	p.discover()
	result, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	require.Equal(t, batch.Partial, result.Status)
	require.Len(t, p.tagErrors("run-2", 0), 2)

	t.Log("a tag that is found at last is read; one that goes away is not what never was")
	p.lists(0, append(slices.Clone(names), tags[25].Name)...)
	p.lists(1, tags[28].Name)
	p.params.RunID = "run-3"
	p.discover()
	result, err = p.run(manifest.TaskExtract, nil)
	require.NoError(t, err)
	require.Equal(t, batch.Succeeded, result.Status)
	require.NoError(t, p.server.RemoveTag(tags[25].Name))
	for _, run := range []string{"run-4", "run-5"} {
		p.params.RunID = run
		result, err = p.run(manifest.TaskDiscover, nil)
		require.NoError(t, err)
		require.Contains(t, strings.Join(result.Notes, "\n"), fmt.Sprintf("1 tag of the bundle is not on its server any more: %q",
			"plant-a: "+tags[25].Name))
		require.Empty(t, p.tagErrors(run, 0))
		result, err = p.run(manifest.TaskExtract, nil)
		require.NoError(t, err)
		require.Equal(t, batch.Succeeded, result.Status)
	}
}

// Ten of many are named.
func TestManyTagsThatNeverWere(t *testing.T) {
	p := newPlant(t, simulator.Options{Tags: 3})
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf("none %03d", i))
	}
	p.lists(0, names...)
	result, err := p.run(manifest.TaskDiscover, nil)
	require.NoError(t, err)
	notes := strings.Join(result.Notes, "\n")
	require.Contains(t, notes, `"none 009"`)
	require.NotContains(t, notes, `"none 010"`)
	require.Contains(t, notes, "\n490 more: see monitoring.tag_errors\n")
	require.Len(t, p.tagErrors("run-1", 0), 500)
}
