package main

import (
	"context"
	"os"

	"github.com/bundlegen/bundlegen/bundlegen/cli"
	"github.com/bundlegen/bundlegen/internal/program"
)

func main() {
	program.Run(func(ctx context.Context, stdout *program.Output) int {
		return cli.Main(ctx, os.Args, cli.Env{Stdin: os.Stdin, Stdout: stdout, Stderr: os.Stderr})
	})
}
