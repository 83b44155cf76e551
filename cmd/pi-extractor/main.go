// Command pi-extractor is what the tasks of the job run: it reads PI Web API
// and lands every event exactly once.
//
// Exit codes: 0 done, 1 failed, 3 done in part (some tags or sites failed, the
// rest is landed), 130 cancelled.
package main

import (
	"context"
	"os"

	"github.com/bundlegen/bundlegen/extractor/cli"
	"github.com/bundlegen/bundlegen/internal/program"
)

func main() {
	program.Run(func(ctx context.Context, stdout *program.Output) int {
		return cli.Main(ctx, os.Args, stdout, os.Stderr, os.LookupEnv, engines)
	})
}
