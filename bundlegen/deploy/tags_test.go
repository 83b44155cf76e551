package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/databricks/cli/libs/tags"
	sdk "github.com/databricks/databricks-sdk-go/config"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// compute.custom_tags takes what the CLI knows each cloud to take, character by
// character and length by length; but for control characters, and what the CLI or a
// job would replace.
func TestCustomTagsAreThoseOfTheCloud(t *testing.T) {
	hosts := map[string]string{
		"aws": "https://a.cloud.databricks.com", "azure": "https://adb-1.2.azuredatabricks.net", "gcp": "https://1.2.gcp.databricks.com",
	}
	texts := []string{"", "Łódź", "日本", "a\u0301"}
	for r := rune(0x20); r <= unicode.MaxLatin1; r++ {
		if !unicode.IsControl(r) {
			texts = append(texts, string(r), "a"+string(r)+"b")
		}
	}
	for _, n := range []int{62, 63, 64, 127, 128, 255, 256, 257, 512, 513} {
		texts = append(texts, strings.Repeat("a", n), strings.Repeat("é", n/2))
	}
	file := filepath.Join(t.TempDir(), "pipeline.yml")
	loads := func(cloud, key, value string) bool {
		pair, err := json.Marshal(map[string]string{key: value}) // is YAML, too
		require.NoError(t, err)
		text := fmt.Sprintf("%scompute: {cloud: %s, custom_tags: %s}\n", pipelineFile, cloud, pair)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		_, err = config.Load(file)
		return err == nil
	}
	for cloud, host := range hosts {
		rules := tags.ForCloud(&sdk.Config{Host: host})
		for _, text := range texts {
			require.Equal(t, rules.ValidateKey(text) == nil, loads(cloud, text, "v"), "%s: key %q", cloud, text)
			require.Equal(t, rules.ValidateValue(text) == nil, loads(cloud, "k", text), "%s: value %q", cloud, text)
		}
		require.False(t, loads(cloud, "k", "${var.catalog}"))
		require.False(t, loads(cloud, "k", "{{job.id}}"))
	}
}
