package cli_test

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/bundlegen/bundlegen/extractor/cli"
)

// program makes this test's binary be pi-extractor.
const program = "BE_PI_EXTRACTOR"

func TestMain(m *testing.M) {
	if os.Getenv(program) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args, os.Stdout, os.Stderr, os.LookupEnv, nil))
}
