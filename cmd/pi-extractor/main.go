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
