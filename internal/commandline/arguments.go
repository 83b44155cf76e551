package commandline

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/suggest"
)

// arranged returns a command line in the order in which the parser wants it: the
// command, its flags, its arguments. People also write flags before the command,
// or behind an argument.
func arranged(args []string, app *cli.App) ([]string, error) {
	args, err := commandFirst(args, app)
	if err != nil || len(args) < 2 {
		return args, err
	}
	if command := app.Command(args[1]); command != nil && command.ArgsUsage != "" {
		args = append(args[:2:2], flagsFirst(args[2:], command.Flags)...)
	}
	return args, nil
}

// commandFirst moves flags of commands that stand before the command behind it.
func commandFirst(args []string, app *cli.App) ([]string, error) {
	flags := AllFlags(app)
	i := 1
	for i < len(args) && strings.HasPrefix(args[i], "-") && slices.ContainsFunc(flags,
		func(f cli.Flag) bool { return IsFlag(args[i], f) }) {
		if TakesNext(args[i], flags) {
			i++
		}
		i++
	}
	switch {
	case i == 1:
		return args, nil
	case i == len(args):
		return nil, diag.WithHint(errors.New("no command is given"),
			"%s --help lists all commands; flags stand behind one", app.Name)
	case i > len(args):
		return nil, diag.WithHint(fmt.Errorf("%s needs a value", args[len(args)-1]), "%s --help", app.Name)
	case strings.HasPrefix(args[i], "-"):
		return args, nil // the parser reports what is wrong with it
	}
	return slices.Concat(args[:1], args[i:i+1], args[1:i], args[i+1:]), nil
}

// AllFlags returns the flags of all commands.
func AllFlags(app *cli.App) []cli.Flag {
	var flags []cli.Flag
	for _, command := range app.Commands {
		flags = append(flags, command.Flags...)
	}
	return flags
}

// IsFlag reports whether an argument is a flag, with a value or without.
func IsFlag(arg string, f cli.Flag) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return slices.Contains(f.Names(), name)
}

// flagsFirst puts a command's flags before its arguments, where the parser looks
// for them; what follows -- stays an argument.
func flagsFirst(args []string, flags []cli.Flag) []string {
	var named, plain []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			plain = append(plain, args[i+1:]...)
			i = len(args)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			plain = append(plain, arg)
		default:
			named = append(named, arg)
			if TakesNext(arg, flags) && i+1 < len(args) {
				i++
				named = append(named, args[i])
			}
		}
	}
	if len(plain) == 0 {
		return named
	}
	return append(append(named, "--"), plain...)
}

// TakesNext reports whether a flag's value is the next argument.
func TakesNext(arg string, flags []cli.Flag) bool {
	return !strings.Contains(arg, "=") && slices.ContainsFunc(flags, func(f cli.Flag) bool { return IsFlag(arg, f) && !IsSwitch(f) })
}

// IsSwitch reports whether a flag takes no value.
func IsSwitch(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

// typedKey is where an application keeps the arguments that it was started with.
const typedKey = "arguments"

// Typed returns a flag as it was typed, -t or --target; as --NAME where it was not.
func Typed(c *cli.Context, name string) string {
	names := []string{name}
	for _, f := range c.Command.Flags {
		if slices.Contains(f.Names(), name) {
			names = f.Names()
		}
	}
	return typedAs(c, names)
}

// typedAs returns one of a flag's names as it was typed.
func typedAs(c *cli.Context, names []string) string {
	args, _ := c.App.Metadata[typedKey].([]string)
	for _, arg := range args {
		flag, _, _ := strings.Cut(arg, "=")
		if bare := strings.TrimLeft(flag, "-"); bare != flag && slices.Contains(names, bare) {
			return flag
		}
	}
	return "--" + names[0]
}

// Faults of flags, as the parser words them.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	noValue     = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
	wrongBool   = regexp.MustCompile(`(?s)^invalid boolean value "(.*)" for -([^ ]*): parse error$`)
	wrongValue  = regexp.MustCompile(`(?s)^invalid value "(.*)" for flag -([^ ]*): (.*)$`)
	twoForms    = regexp.MustCompile(`^Cannot use two forms of the same flag: (\S+) (\S+)$`)
)

// UsageError names the wrong flag, as it was typed, and suggests what was meant.
func UsageError(c *cli.Context, err error, _ bool) error {
	name, flags := c.App.Name, AllFlags(c.App)
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name, flags = name+" "+c.Command.Name, c.Command.Flags
	}
	text := err.Error()
	as := func(flag string) string { return typedAs(c, []string{flag}) }
	switch {
	case unknownFlag.MatchString(text):
		unknown := as(unknownFlag.FindStringSubmatch(text)[1])
		var known []string
		for _, f := range flags {
			known = append(known, "--"+f.Names()[0])
		}
		return diag.WithHint(fmt.Errorf("there is no flag %s", unknown),
			"%s%s --help lists all", suggest.Lead("--"+strings.TrimLeft(unknown, "-"), known), name)
	case noValue.MatchString(text):
		return diag.WithHint(fmt.Errorf("%s needs a value", as(noValue.FindStringSubmatch(text)[1])), "%s --help", name)
	case wrongBool.MatchString(text):
		m := wrongBool.FindStringSubmatch(text)
		return diag.WithHint(fmt.Errorf("%s=%s; allowed: true, false", as(m[2]), m[1]), "%s alone is enough", as(m[2]))
	case wrongValue.MatchString(text):
		m := wrongValue.FindStringSubmatch(text)
		return diag.WithHint(fmt.Errorf("%s %q; allowed: %s", as(m[2]), m[1], wanted(m[2], flags)), "%s --help", name)
	case twoForms.MatchString(text):
		m := twoForms.FindStringSubmatch(text)
		return diag.WithHint(fmt.Errorf("%s and %s are the same flag", as(m[1]), as(m[2])), "give one of them")
	}
	return diag.WithHint(err, "%s --help", name)
}

// wanted returns what the values of a flag look like.
func wanted(name string, flags []cli.Flag) string {
	for _, f := range flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return "a length of time such as 30s or 5m"
		case *cli.IntFlag, *cli.Uint64Flag:
			return "a whole number"
		case *cli.Float64Flag:
			return "a number"
		}
	}
	return "a value of its kind"
}

// OneArgument returns a check that a command has exactly one argument: none is
// the error without one, and more the hint with several.
func OneArgument(none error, more string) cli.BeforeFunc {
	return func(c *cli.Context) error {
		switch n := c.Args().Len(); {
		case n == 0:
			return none
		case n > 1:
			return diag.WithHint(fmt.Errorf("%s %s takes one argument, and these are %d: %s", c.App.Name, c.Command.Name, n,
				strings.Join(c.Args().Slice(), ", ")),
				"%s", more)
		}
		return nil
	}
}
