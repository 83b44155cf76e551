package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"
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
