// Command pi-extractor is what the tasks of the job run: it reads PI Web API
// and lands every event exactly once.
//
// Exit codes: 0 done, 1 failed, 3 done in part (some tags or sites failed, the
// rest is landed), 130 cancelled.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/bundlegen/bundlegen/extractor/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := cli.Main(ctx, os.Args, os.Stdout, os.Stderr, os.LookupEnv, engines)
	os.Exit(code)
}
