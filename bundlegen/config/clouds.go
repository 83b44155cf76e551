package config

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// clouds are those that bundles can be made for.
var clouds = []string{"aws", "azure", "gcp"}

// defaultNodeTypes are general-purpose machines of 4 cores and 16 GB with a
// local disk, for what is staged before it is published.
var defaultNodeTypes = map[string]string{
	"aws":   "m5d.xlarge",
	"azure": "Standard_D4ds_v5",
	"gcp":   "n2-standard-4",
}

// workspaceDomains are where each cloud's workspaces are.
var workspaceDomains = []struct{ suffix, cloud string }{
	{".gcp.databricks.com", "gcp"},
	{".azuredatabricks.net", "azure"},
	{".databricks.azure.us", "azure"},
	{".databricks.azure.cn", "azure"},
	{".cloud.databricks.com", "aws"},
	{".cloud.databricks.us", "aws"},
}

// cloudOf returns the cloud of a workspace's address, "" if that does not tell.
func cloudOf(host string) string {
	u, err := url.Parse(host)
	if err != nil {
		return ""
	}
	for _, d := range workspaceDomains {
		if strings.HasSuffix(u.Hostname(), d.suffix) {
			return d.cloud
		}
	}
	return ""
}

// tagRules are what each cloud takes as the tags of its machines, as Databricks
// applies it: lengths are in bytes of UTF-8. What a cloud refuses shows only when a
// cluster is created.
var tagRules = map[string]struct{ key, value yamlread.Rule }{
	"aws": {
		key: yamlread.Pattern(
			`[A-Za-z0-9 _.:/=+@-]{1,127}`,
			"on aws 1 to 127 letters, digits, spaces and _ . : / = + - @",
			"for instance cost_center",
		),
		value: yamlread.Pattern(
			`[A-Za-z0-9 _.:/=+@-]{0,255}`,
			"on aws a text of at most 255 letters, digits, spaces and _ . : / = + - @",
			"leave out what else there is",
		),
	},
	"azure": {
		key: rule(func(s string) bool { return s != "" && latin(s, 512) && !strings.ContainsAny(s, `<>*&%;\/+?`) },
			`on azure 1 to 512 characters of Latin-1, none of < > * & % ; \ / + ?, and no ${ or {{`, "for instance cost_center"),
		value: rule(
			func(s string) bool { return latin(s, 256) },
			"on azure a text of at most 256 characters of Latin-1, without ${ or {{",
			"leave out what else there is",
		),
	},
	"gcp": {
		key: yamlread.Pattern(
			gcpLabel,
			"on gcp 1 to 63 letters, digits, _ . and -, a letter or digit first and last",
			"for instance cost_center",
		),
		value: yamlread.Pattern(
			"(?:"+gcpLabel+")?",
			"on gcp a text of at most 63 letters, digits, _ . and -, a letter or digit first and last",
			"leave out what else there is",
		),
	},
}

const gcpLabel = `[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?`

// latin reports whether s is a text of Latin-1 without control characters, of at
// most so many bytes, in which neither the CLI nor a job would replace anything.
func latin(s string, high int) bool {
	return len(s) <= high && !strings.Contains(s, "${") && !strings.Contains(s, "{{") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxLatin1 || unicode.IsControl(r) })
}

// regionRules are how each cloud names its regions.
var regionRules = map[string]yamlread.Rule{
	"aws":   yamlread.Pattern(`[a-z]{2}(-[a-z]+)+-\d`, "a region of AWS", "for instance eu-west-1"),
	"azure": yamlread.Pattern(`[a-z]{3,30}\d?`, "a region of Azure", "for instance westeurope"),
	"gcp":   yamlread.Pattern(`[a-z]+-[a-z]+\d{1,2}`, "a region of GCP", "for instance europe-west4"),
}
