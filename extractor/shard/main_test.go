package shard

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/internal/fixedseed"
)

func TestMain(m *testing.M) {
	fixedseed.Set()
	goleak.VerifyTestMain(m)
}
