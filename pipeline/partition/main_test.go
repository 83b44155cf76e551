package partition_test

import (
	"os"
	"testing"

	"github.com/bundlegen/bundlegen/internal/fixedseed"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	os.Exit(m.Run())
}
