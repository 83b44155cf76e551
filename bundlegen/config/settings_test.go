package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// TestSettings: settings are known by the keys of pipeline.yml, all of them but
// those that change no bundle.
func TestSettings(t *testing.T) {
	p, err := read([]byte(everyKey), "p.yml")
	require.NoError(t, err)
	all := p.Settings()
	for key, want := range map[string]string{
		"name": "osipi_connector", "extract.backfill": "1d12h", "extract.settle": "0s", "extract.fail_above": "0", "compute.single_cluster": "true",
		"sites[plant-a].auth.password.secret": "pi/plant-a", "sites[plant-a].task.max_retries": "0", "sites[plant_b].auth.krb5_conf": "krb5.conf",
		"tiers[bulk].sizing.max_tags": "9", "tiers[bulk].cron": "0 0 6 ? * MON-FRI", "compute.custom_tags.cost center": "5",
		"targets[prod].regions[westeurope].catalog": "north", "monitoring.emails": "a@b.example", "forecast.pi_threads": "8",
	} {
		require.Equal(t, want, all[key], key)
	}

	elements := regexp.MustCompile(`\[[^]]*\]`)
	plain := func(key string) string { return elements.ReplaceAllString(key, "") }
	written := map[string]bool{}
	root, err := yamlread.Parse([]byte(everyKey), "p.yml", "")
	require.NoError(t, err)
	keysOf(t, root, "", written)
	recorded := map[string]bool{}
	for key := range all {
		recorded[plain(key)] = true
	}
	for _, key := range slices.Sorted(maps.Keys(written)) {
		key = plain(key)
		first, _, _ := strings.Cut(key, ".")
		if slices.Contains([]string{"version", "inventory", "output", "prices", "calibration"}, first) || key == "targets.schema_prefix" {
			continue
		}
		require.True(t, recorded[key], key)
	}
	last := func(key string) string { return key[strings.LastIndex(key, ".")+1:] }
	names := map[string]bool{"sites of other regions": true}
	for key := range written {
		names[last(key)] = true
	}
	for key := range all {
		require.True(t, names[last(plain(key))], "%s is no key of pipeline.yml", key)
	}
}

// keysOf collects the keys of values, without the names of targets and regions,
// which are keys too.
func keysOf(t *testing.T, n *yamlread.Node, path string, into map[string]bool) {
	switch {
	case n.Kind == yamlread.Map && (path == "targets" || path == "targets[].regions"):
		for _, e := range n.Entries {
			keysOf(t, e.Value, path+"[]", into)
		}
	case n.Kind == yamlread.Map:
		for _, e := range n.Entries {
			at := e.Key
			if path != "" {
				at = path + "." + e.Key
			}
			keysOf(t, e.Value, at, into)
		}
	case n.Kind == yamlread.List && len(n.Items) > 0 && n.Items[0].Kind == yamlread.Map:
		for _, item := range n.Items {
			keysOf(t, item, path, into)
		}
	default:
		into[path] = true
	}
}
