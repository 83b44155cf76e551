package cli

import (
	"fmt"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"
)

// completions are scripts for shells; the program itself gives the words.
var completions = map[string]string{
	"bash": `_bundlegen() { COMPREPLY=($(compgen -W "$("${COMP_WORDS[@]:0:$COMP_CWORD}" --generate-bash-completion 2>/dev/null)" -- "${COMP_WORDS[$COMP_CWORD]}")); }
complete -o default -F _bundlegen bundlegen
`,
	"zsh": `#compdef bundlegen
_bundlegen() { local -a words_; words_=("${(@f)$("${words[@]:0:$((CURRENT-1))}" --generate-bash-completion 2>/dev/null)}"); compadd -a words_ || _files; }
compdef _bundlegen bundlegen
`,
	"fish": `complete -c bundlegen -a '(eval (commandline -opc) --generate-bash-completion 2>/dev/null)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName bundlegen -ScriptBlock {
  param($word, $ast, $cursor)
  $parts = $ast.CommandElements | ForEach-Object { $_.ToString() } | Where-Object { $_ -ne $word }
  & $parts[0] @($parts | Select-Object -Skip 1) --generate-bash-completion 2>$null | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`,
}

func completionCommand() *cli.Command {
	var shells []string
	for name := range completions {
		shells = append(shells, name)
	}
	sort.Strings(shells)
	return &cli.Command{
		Name:  "completion",
		Usage: "prints the completion script of a shell: " + strings.Join(shells, ", "),
		Flags: []cli.Flag{&cli.StringFlag{Name: "shell", Value: "bash", Usage: "the `SHELL`"}},
		Action: func(c *cli.Context) error {
			script, ok := completions[c.String("shell")]
			if !ok {
				return fmt.Errorf("--shell %s: allowed are %s", c.String("shell"), strings.Join(shells, ", "))
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}
