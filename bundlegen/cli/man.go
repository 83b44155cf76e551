package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// manCommand prints the manual page, for whoever packs the program.
func manCommand() *cli.Command {
	return &cli.Command{
		Name:   "man",
		Usage:  "prints the manual page",
		Hidden: true,
		Action: func(c *cli.Context) error {
			page, err := c.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.App.Writer, page)
			return err
		},
	}
}

// schemaCommand prints the JSON schema of pipeline.yml.
func schemaCommand() *cli.Command {
	return &cli.Command{
		Name:  "schema",
		Usage: "prints the JSON schema of pipeline.yml, for editors",
		Description: "bundlegen schema > pipeline.schema.json, and the line\n" +
			"# yaml-language-server: $schema=pipeline.schema.json\n" +
			"at the top of pipeline.yml make an editor complete keys and mark mistakes.",
		Action: func(c *cli.Context) error {
			_, err := c.App.Writer.Write(config.Schema)
			return err
		},
	}
}
