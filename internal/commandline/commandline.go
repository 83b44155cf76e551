package commandline

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// Run runs a program's command line. app has the program's commands and
// writers; what the programs have in common is added here. The caller
// prints the error and chooses the exit code.
func Run(ctx context.Context, app *cli.App, args []string) error {
	if app.Metadata == nil {
		app.Metadata = map[string]any{}
	}
	app.Metadata[typedKey] = args[min(1, len(args)):]
	args, err := arranged(args, app)
	if err != nil {
		return err
	}
	return app.RunContext(ctx, args)
}

// Prepare adds to a program what all have in common. It is to be called once.
func Prepare(app *cli.App) *cli.App {
	app.Suggest = true
	app.HideHelpCommand = true
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {} // the program's main sets the exit code
	app.OnUsageError = UsageError
	app.Flags = append(app.Flags, cli.HelpFlag) // a command of this name keeps the parser from adding it
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return noCommand(c)
		}
		return cli.ShowAppHelp(c)
	}
	app.Commands = append(app.Commands, helpCommand(), versionCommand())
	for _, c := range app.Commands {
		c.HideHelpCommand = true
		if c.Before == nil {
			c.Before = noArguments
		}
		if c.OnUsageError == nil {
			c.OnUsageError = UsageError
		}
		for _, f := range c.Flags {
			if b, ok := f.(*cli.BoolFlag); ok {
				b.DisableDefaultText = true
			}
		}
	}
	return app
}

// noCommand refuses the first argument, which is the name of no command.
func noCommand(c *cli.Context) error {
	name := c.Args().First()
	return diag.WithHint(fmt.Errorf("no command is called %q", name), "%s%s --help lists all", suggest.Lead(name, CommandNames(c.App)),
		c.App.Name)
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "shows all commands, or what one of them does",
		ArgsUsage: "[COMMAND]",
		Before: func(c *cli.Context) error {
			if c.Args().Len() > 1 {
				return diag.WithHint(fmt.Errorf("help is about one command, and these are %d", c.Args().Len()), "%s help %s", c.App.Name,
					c.Args().First())
			}
			return nil
		},
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case name == "":
				return cli.ShowAppHelp(c)
			case c.App.Command(name) == nil:
				return noCommand(c)
			default:
				return c.App.RunContext(c.Context, []string{c.App.Name, name, "--help"})
			}
		},
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "prints the program's version",
		Action: func(c *cli.Context) error {
			cli.ShowVersion(c)
			return nil
		},
	}
}

// CommandNames lists a program's commands.
func CommandNames(app *cli.App) []string {
	var names []string
	for _, command := range app.Commands {
		if !command.Hidden {
			names = append(names, command.Name)
		}
	}
	return names
}

// NotAllowed is the error for a flag's value. where is what defines the allowed ones.
func NotAllowed(flag, value, where string, allowed []string) error {
	return diag.WithHint(fmt.Errorf("%s %s; allowed: %s", flag, value, strings.Join(allowed, ", ")), "%s%s", suggest.Lead(value, allowed),
		where)
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return diag.WithHint(fmt.Errorf("%s %s takes no argument, and %q is one", c.App.Name, c.Command.Name, c.Args().First()),
			"flags come as --name value; %s %s --help", c.App.Name, c.Command.Name)
	}
	return nil
}
