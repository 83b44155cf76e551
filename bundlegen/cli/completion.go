package cli

import (
	"fmt"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"
)

// completions are scripts for shells; the program itself gives the words: flags
// when the word that is being typed begins like one, commands otherwise.
var completions = map[string]string{
	"bash": `_bundlegen() {
  local current="${COMP_WORDS[COMP_CWORD]}" given=("${COMP_WORDS[@]:0:COMP_CWORD}")
  [[ $current == -* ]] && given+=("$current")
  COMPREPLY=($(compgen -W "$("${given[@]}" --generate-bash-completion 2>/dev/null)" -- "$current"))
}
complete -o default -F _bundlegen bundlegen
`,
	"zsh": `#compdef bundlegen
_bundlegen() {
  local -a given candidates
  given=("${words[@]:0:$((CURRENT-1))}")
  [[ ${words[CURRENT]} == -* ]] && given+=("${words[CURRENT]}")
  candidates=("${(@f)$("${given[@]}" --generate-bash-completion 2>/dev/null)}")
  compadd -a candidates || _files
}
compdef _bundlegen bundlegen
`,
	"fish": `complete -c bundlegen -a '(eval (commandline -opc) (string match -- "-*" (commandline -ct)) --generate-bash-completion 2>/dev/null)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName bundlegen -ScriptBlock {
  param($word, $ast, $cursor)
  $parts = @($ast.CommandElements | ForEach-Object { $_.ToString() } | Where-Object { $_ -ne $word })
  $given = @($parts | Select-Object -Skip 1)
  if ($word -like '-*') { $given += $word }
  & $parts[0] @given --generate-bash-completion 2>$null | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
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
				return notAllowed("--shell", c.String("shell"), "without it, bash's is printed", shells)
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}
