package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/commandline"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// completeFlag is what shells give as the last argument to learn what the words
// before it can be completed to. The word that is being typed is among them,
// unless it is empty.
const completeFlag = "--generate-bash-completion"

// completions are scripts for shells; the program itself lists the words.
var completions = map[string]string{
	"bash": `_bundlegen() {
  local current="${COMP_WORDS[COMP_CWORD]}" given=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ -n $current ]] && given+=("$current")
  [[ $current == = ]] && current=
  COMPREPLY=($(compgen -W "$("${given[@]}" --generate-bash-completion 2>/dev/null)" -- "$current"))
}
complete -o default -F _bundlegen bundlegen
`,
	"zsh": `#compdef bundlegen
_bundlegen() {
  local -a given candidates
  given=("${words[@]:0:$CURRENT}")
  [[ -z ${words[CURRENT]} ]] && given=("${words[@]:0:$((CURRENT-1))}")
  candidates=(${(f)"$("${given[@]}" --generate-bash-completion 2>/dev/null)"})
  if (( $#candidates )); then compadd -a candidates; else _files; fi
}
compdef _bundlegen bundlegen
`,
	"fish": `function __bundlegen_words
  set -l given (commandline -opc)
  set -l current (commandline -ct)
  test -n "$current"; and set -a given $current
  $given --generate-bash-completion 2>/dev/null
end
complete -c bundlegen -a '(__bundlegen_words)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName bundlegen -ScriptBlock {
  param($word, $ast, $cursor)
  $given = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() })
  $program, $given = $given
  if ($word) { $given = @($given) + $word }
  & $program @given --generate-bash-completion 2>$null | Where-Object { $_ -like "$word*" } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`,
}

// shells lists those that completion knows.
func shells() []string { return slices.Sorted(maps.Keys(completions)) }

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "prints the completion script of a shell: " + strings.Join(shells(), ", "),
		ArgsUsage: "[SHELL]",
		Description: `bash:        source <(bundlegen completion bash)
zsh:         source <(bundlegen completion zsh)
fish:        bundlegen completion fish | source
powershell:  bundlegen completion powershell | Out-String | Invoke-Expression

Put the line into the shell's start-up file.`,
		Flags: []cli.Flag{&choiceFlag{&cli.StringFlag{Name: "shell", Value: "bash", Usage: "the `SHELL` that the script is for"},
			fixed(shells()...)}},
		Before: func(c *cli.Context) error {
			switch {
			case c.Args().Len() > 1:
				return diag.WithHint(fmt.Errorf("bundlegen completion takes one shell, and these are %d", c.Args().Len()),
					"bundlegen completion %s", c.Args().First())
			case c.Args().Present() && c.IsSet("shell") && c.Args().First() != c.String("shell"):
				return diag.WithHint(fmt.Errorf("%s %s and %s cannot be combined", commandline.Typed(c, "shell"), c.String("shell"),
					c.Args().First()),
					"bundlegen completion %s", c.Args().First())
			}
			return nil
		},
		Action: func(c *cli.Context) error {
			shell, where := c.String("shell"), commandline.Typed(c, "shell")
			if c.Args().Present() {
				shell, where = c.Args().First(), "completion"
			}
			script, ok := completions[shell]
			if !ok {
				return commandline.NotAllowed(where, shell, "without one, bash's is printed", shells())
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}

// complete prints what the last of the words can be completed to, one candidate a
// line; the shell keeps those that begin like the word. words are those of the
// command line without the program.
func complete(w io.Writer, app *cli.App, words []string) {
	for _, candidate := range candidates(app, words) {
		fmt.Fprintln(w, candidate)
	}
}

// candidates lists what the last word can be, or what can follow it where it is
// whole: a flag whose value is still to come, a command.
func candidates(app *cli.App, words []string) []string {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "=" }) // bash makes a word of it
	command, flags := commandOf(app, words)
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
	}
	if i := slices.IndexFunc(flags, func(f cli.Flag) bool { return strings.HasPrefix(last, "-") && commandline.IsFlag(last, f) }); i >= 0 {
		if name, _, ok := strings.Cut(last, "="); ok {
			return prefixed(name+"=", valuesOf(flags[i], words))
		}
		if !commandline.IsSwitch(flags[i]) {
			return valuesOf(flags[i], words)
		}
	}
	if strings.HasPrefix(last, "-") {
		return flagNames(flags)
	}
	if len(words) > 1 && strings.HasPrefix(words[len(words)-2], "-") && commandline.TakesNext(words[len(words)-2], flags) {
		i := slices.IndexFunc(flags, func(f cli.Flag) bool { return commandline.IsFlag(words[len(words)-2], f) })
		return valuesOf(flags[i], words)
	}
	switch {
	case command == nil:
		return commandline.CommandNames(app)
	case command.Name == "completion":
		return shells()
	case command.Name == "help":
		return commandline.CommandNames(app)
	}
	return nil
}

// commandOf finds the command among words, and the flags that can be given: its
// own, or those of all commands before there is one.
func commandOf(app *cli.App, words []string) (*cli.Command, []cli.Flag) {
	all := commandline.AllFlags(app)
	for i := 0; i < len(words); i++ {
		if strings.HasPrefix(words[i], "-") {
			if commandline.TakesNext(words[i], all) {
				i++
			}
			continue
		}
		if command := app.Command(words[i]); command != nil {
			return command, command.Flags
		}
		break
	}
	return nil, all
}

func flagNames(flags []cli.Flag) []string {
	names := []string{"--help"}
	for _, f := range flags {
		for _, name := range f.Names() {
			if dashed := "-" + name; len(name) == 1 {
				names = append(names, dashed)
			} else {
				names = append(names, "-"+dashed)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// valuesOf lists the values of a flag, if they can be listed. What is in the
// pipeline is read from the one that the words name.
func valuesOf(f cli.Flag, words []string) []string {
	choice, ok := f.(*choiceFlag)
	if !ok {
		return nil
	}
	if values := choice.values(nil); len(values) > 0 {
		return values
	}
	path := configFlag.Value
	for i, word := range words {
		if !strings.HasPrefix(word, "-") || !commandline.IsFlag(word, configFlag) {
			continue
		}
		if _, value, ok := strings.Cut(word, "="); ok {
			path = value
		} else if i+1 < len(words) {
			path = words[i+1]
		}
	}
	pipeline, err := config.Load(path)
	if err != nil {
		return nil // a file that cannot be read has nothing to offer; the command reports why
	}
	return choice.values(pipeline)
}

func prefixed(prefix string, values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, prefix+v)
	}
	return out
}
