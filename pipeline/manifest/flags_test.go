package manifest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// anyParameters draws parameters in which exactly the fields of the task are set.
func anyParameters(t *rapid.T, task string) manifest.Parameters {
	name := rapid.StringMatching(`[^\x00]{1,20}`)
	count := rapid.IntRange(1, 1<<30)
	share := rapid.Float64Range(0, 1)
	p := manifest.Parameters{
		Task:         task,
		Pipeline:     name.Draw(t, "pipeline"),
		Catalog:      name.Draw(t, "catalog"),
		SchemaPrefix: rapid.SampledFrom([]string{"", "dev_", "a=b"}).Draw(t, "prefix"),
		Bundle:       name.Draw(t, "bundle"),
		Tier:         name.Draw(t, "tier"),
		RunID:        name.Draw(t, "run"),
		UntilMillis:  rapid.Int64Range(0, 1<<45).Draw(t, "ms"),
		Until:        rapid.SampledFrom([]string{"", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.1234567+02:00"}).Draw(t, "until"),
		TimeoutSecs:  rapid.IntRange(0, 1<<30).Draw(t, "timeout"),
		Attempt:      count.Draw(t, "attempt"),
	}
	switch task {
	case manifest.TaskExtract:
		p.Partition = rapid.IntRange(0, 100_000).Draw(t, "partition")
		p.Site = name.Draw(t, "site")
		p.Limits = manifest.Limits{
			RequestsPerSecond: rapid.Float64Range(1e-9, 1e9).Draw(t, "rps"),
			Connections:       count.Draw(t, "connections"),
			ItemsPerCall:      count.Draw(t, "items"),
		}
		p.MaxWindow = rapid.Float64Range(1e-3, 1e9).Draw(t, "window")
		p.FailAbove = share.Draw(t, "fail")
		p.TagsPerShard = count.Draw(t, "shard")
		p.Shards = rapid.SampledFrom([]string{manifest.ShardsOnExecutors, manifest.ShardsOnDriver}).Draw(t, "shards")
		if rapid.Bool().Draw(t, "loop") {
			p.Every, p.Loops, p.Lead = rapid.Float64Range(
				0.5,
				1e6,
			).Draw(
				t,
				"every",
			), rapid.Float64Range(
				0,
				1e6,
			).Draw(
				t,
				"loops",
			), rapid.Bool().Draw(
				t,
				"lead",
			)
			p.Backfill, p.Settle, p.Layout = rapid.Float64Range(0, 1e9).Draw(t, "backfill"), rapid.Float64Range(0, 1e9).Draw(t, "settle"), "liquid"
		}
	case manifest.TaskDiscover:
		p.Backfill = rapid.Float64Range(0, 1e9).Draw(t, "backfill")
		p.Settle = rapid.Float64Range(0, 1e9).Draw(t, "settle")
		p.Layout = rapid.SampledFrom([]string{"liquid", "zorder"}).Draw(t, "layout")
	case manifest.TaskConsolidate:
		p.Maintenance = rapid.Bool().Draw(t, "maintenance")
		p.Layout = rapid.SampledFrom([]string{"liquid", "zorder"}).Draw(t, "layout")
	case manifest.TaskValidate:
		p.MinCompleteness = share.Draw(t, "complete")
		p.SampleTags = rapid.IntRange(0, 1<<30).Draw(t, "sample")
	}
	return p
}

func TestArgsThenParseIsIdentity(t *testing.T) {
	for _, task := range manifest.Tasks() {
		t.Run(task, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p := anyParameters(t, task)
				args := p.Args(nil)
				for range rapid.IntRange(0, 1).Draw(t, "shuffle") {
					args = rapid.Permutation(args).Draw(t, "args") // order does not matter
				}
				got, err := manifest.Parse(task, args)
				require.NoError(t, err)
				require.Equal(t, p, got)
			})
		})
	}
}

func TestArgsOfEachTask(t *testing.T) {
	common := "pipeline catalog schema-prefix bundle tier run-id until-ms until timeout-seconds attempt "
	for task, own := range map[string]string{
		manifest.TaskDiscover:    "backfill-seconds settle-seconds layout",
		manifest.TaskExtract:     "partition site requests-per-second connections items-per-call max-window-seconds fail-above tags-per-shard shards",
		manifest.TaskConsolidate: "maintenance layout",
		manifest.TaskValidate:    "min-completeness sample-tags",
	} {
		var names []string
		for _, arg := range (manifest.Parameters{Task: task}).Args(nil) {
			name, _, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
			require.True(t, ok, arg)
			names = append(names, name)
			require.Contains(t, manifest.Usage(task), "--"+name+"=")
		}
		require.Equal(t, common+own, strings.Join(names, " "), task)
	}
}

// A loop has flags of its own, which are no flags of an extraction that ends.
func TestFlagsOfALoop(t *testing.T) {
	p := valid(manifest.TaskExtract)
	p.Every, p.Loops, p.Lead, p.Layout = 10, 21600, true, "liquid"
	args := p.Args(map[string]string{"loop-seconds": "{{job.parameters.loop_seconds}}"})
	require.Contains(t, args, "--every-seconds=10")
	require.Contains(t, args, "--loop-seconds={{job.parameters.loop_seconds}}")
	require.Contains(t, args, "--lead=true")
	p.Every = 0
	args = append(p.Args(nil), "--lead=true")
	_, err := manifest.Parse(manifest.TaskExtract, args)
	require.EqualError(t, err, "flag --lead is not one of extract\nhint: it belongs to an extract with --every-seconds")
	_, err = manifest.Parse(manifest.TaskExtract, append(p.Args(nil), "--every-seconds=10"))
	require.ErrorContains(t, err, "flag --loop-seconds is missing")
	require.Contains(t, manifest.Usage(manifest.TaskExtract), "(with --every-seconds)")
}

func TestReferencesStandInPlaceOfValues(t *testing.T) {
	p := manifest.Parameters{Task: manifest.TaskConsolidate, Pipeline: "p", UntilMillis: 7, Layout: "liquid"}
	args := p.Args(map[string]string{
		"until-ms":  "{{job.parameters.until_ms}}",
		"bundle":    "${workspace.file_path}",
		"partition": "left aside: not a flag of consolidate",
	})
	require.Contains(t, args, "--until-ms={{job.parameters.until_ms}}")
	require.Contains(t, args, "--bundle=${workspace.file_path}")
	require.Contains(t, args, "--pipeline=p")
	require.Len(t, args, len(p.Args(nil)))
}

func valid(task string) manifest.Parameters {
	return manifest.Parameters{
		Task: task, Pipeline: "p", Catalog: "c", Bundle: "b", Tier: "t", RunID: "r", UntilMillis: 1, Attempt: 1,
		Site: "s", Limits: manifest.Limits{RequestsPerSecond: 0.5, Connections: 1, ItemsPerCall: 1},
		MaxWindow: 1, TagsPerShard: 1, Shards: manifest.ShardsOnExecutors, Layout: "liquid",
	}
}

func TestWhatMayBeLeftOut(t *testing.T) {
	got, err := manifest.Parse(manifest.TaskDiscover, []string{
		"--pipeline=p", "--catalog=c", "--bundle=b", "--tier=t", "--run-id=r",
		"--until=2026-01-31T12:00:00Z", "--backfill-seconds=3600", "--settle-seconds=-0", "--layout=zorder"})
	require.NoError(t, err)
	require.Equal(t, manifest.Parameters{
		Task: "discover", Pipeline: "p", Catalog: "c", Bundle: "b", Tier: "t", RunID: "r",
		Until: "2026-01-31T12:00:00Z", Attempt: 1, Backfill: 3600, Layout: "zorder"}, got)

	for _, task := range manifest.Tasks() {
		all := valid(task).Args(nil)
		for i, arg := range all {
			name, _, _ := strings.Cut(arg, "=")
			_, err := manifest.Parse(task, slices.Delete(slices.Clone(all), i, i+1))
			if slices.Contains([]string{"--schema-prefix", "--until", "--timeout-seconds", "--attempt", "--shards"}, name) {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, name, "of %s", task)
				require.ErrorContains(t, err, "missing")
				require.ErrorContains(t, err, "hint: ")
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ task, arg, want string }{
		{"extract", "--partitoin=1", "there is no flag \"--partitoin\"\nhint: did you mean --partition?"},
		{"extract", "--colour=red", "hint: allowed are --pipeline, "},
		{"extract", "--layout=liquid", "flag --layout is not one of extract\nhint: it belongs to discover, consolidate"},
		{"extract", "--partition", "flag --partition has no value"},
		{"extract", "7", `argument "7" is not of the form --name=value`},
		{"extract", "--site=x", "flag --site is there twice"},
		{"consolidate", "--maintenance=yes", `flag --maintenance: "yes" is not allowed` + "\nhint: allowed is true or false"},
		{"consolidate", "--layout=hilbert", "hint: allowed is liquid or zorder"},
		{"discover", "--layout=", "hint: allowed is liquid or zorder"},
		{"extract", "--shards=drivers", "hint: allowed is executors or driver"},
		{"extract", "--partition=-1", "at least 0"},
		{"extract", "--partition=99999999999", "at least 0"},
		{"extract", "--attempt=0", "at least 1"},
		{"extract", "--attempt=1.5", "whole number"},
		{"extract", "--requests-per-second=0", "above 0"},
		{"extract", "--requests-per-second=NaN", "above 0"},
		{"extract", "--requests-per-second=Inf", "above 0"},
		{"extract", "--fail-above=1.01", "from 0 to 1"},
		{"extract", "--fail-above=-0.1", "from 0 to 1"},
		{"extract", "--site=", "a site's name"},
		{"extract", "--until=yesterday", "an instant such as"},
		{"extract", "--until-ms=9223372036854775807", "milliseconds"},
		{"discover", "--settle-seconds=1e300", "at least 0"},
		{"discover", "--run-id={{job", ""}, // any text is an id
	} {
		args := slices.DeleteFunc(valid(c.task).Args(nil), func(arg string) bool {
			name, _, _ := strings.Cut(c.arg, "=")
			return strings.HasPrefix(arg, name+"=") && !strings.Contains(c.want, "twice")
		})
		_, err := manifest.Parse(c.task, append(args, c.arg))
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "hint: ")
	}
	_, err := manifest.Parse("extrakt", nil)
	require.EqualError(t, err, "there is no task \"extrakt\"\nhint: did you mean extract?")

	_, err = manifest.Parse("extract", []string{"--partitoin=1"})
	require.EqualError(t, err, "there is no flag \"--partitoin\"\nhint: did you mean --partition?", "what is missing may only be misspelt")

	args := slices.DeleteFunc(valid("validate").Args(nil), func(a string) bool { return strings.HasPrefix(a, "--until-ms") })
	_, err = manifest.Parse("validate", args)
	require.ErrorContains(t, err, "--until is empty and --until-ms is missing")

	_, err = manifest.Parse("validate", append(valid("validate").Args(nil), "--a=1", "--b=2"))
	require.ErrorContains(t, err, `"--a"`)
	require.ErrorContains(t, err, `"--b"`, "all problems are reported at once")
}

func TestLongValuesAreCutInErrors(t *testing.T) {
	_, err := manifest.Parse("validate", append(valid("validate").Args(nil), "--x="+strings.Repeat("y", 500), strings.Repeat("é", 500)))
	require.Less(t, len(err.Error()), 1500)
}
