package deploy

import (
	"os"
	"regexp"
	"runtime/debug"
	"testing"

	"github.com/databricks/cli/cmd/root"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/bundlegen/deploy/internal/cliversion"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // 990 partitions keep the CLI's many copies of a bundle busy
	goleak.VerifyTestMain(m)
}

// The linked CLI must take itself for the release that go.mod pins; otherwise a
// bundle's databricks_cli_version is a warning and no bundle passes --strict.
func TestLinkedCLIKnowsItsVersion(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	pinned := regexp.MustCompile(`(?m)github\.com/databricks/cli v(\S+)`).FindSubmatch(text)
	require.NotNil(t, pinned)
	assert.Equal(t, string(pinned[1]), cliversion.Version)
	assert.Equal(t, cliversion.Version, root.New(t.Context()).Version)
}
