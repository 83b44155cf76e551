package inventory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/internal/fixedseed"
)

// TestMain also checks that reading in pieces leaves no goroutine behind.
func TestMain(m *testing.M) {
	fixedseed.Set()
	goleak.VerifyTestMain(m)
}
