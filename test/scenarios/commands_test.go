package scenarios_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// words are what scripts can say beyond testscript's own commands.
var words = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":      exits,
	"refused":    refused,
	"expand":     expand,
	"bytes":      writeBytes,
	"remember":   remember,
	"unchanged":  unchanged,
	"edit":       edit,
	"start":      start,
	"interrupt":  interrupt,
	"ended":      ended,
	"simulator":  simulatorWord,
	"website":    website,
	"asked":      asked,
	"quit":       quit,
	"hostile":    hostile,
	"tame":       tame,
	"listed":     listed,
	"unasked":    unasked,
	"held":       held,
	"disk":       diskWord,
	"readonly":   readonly,
	"writable":   writable,
	"sql":        sqlWord,
	"json":       jsonWord,
	"alter":      alter,
	"complete":   complete,
	"statements": statements,
}

// exits runs a program and wants an exit code, or one of several:
//
//	exits [-nobody] CODE[,CODE] PROGRAM ARG...
//
// With -nobody the program runs as a user who is not root.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "exits [-nobody] CODE PROGRAM ARG...")
	nobody := args[0] == "-nobody"
	if nobody {
		args = args[1:]
	}
	allowed, command := strings.Split(args[0], ","), args[1:]
	if nobody {
		command = append(asNobody(ts), command...)
	}
	if got := exitCode(ts, command); !slices.Contains(allowed, strconv.Itoa(got)) {
		ts.Fatalf("exit code %d, not %s", got, args[0])
	}
}

// refused runs a program that has to refuse: exit code 1, nothing on stdout, an
// error and a hint on stderr, and no file in the script's folder made, changed
// or gone.
//
//	refused PROGRAM ARG...
func refused(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "refused PROGRAM ARG...")
	root := ts.Getenv("WORK")
	before := contents(ts, root)
	if got := exitCode(ts, args); got != 1 {
		ts.Fatalf("exit code %d, not 1", got)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is for results, and this is none: %s", out)
	}
	said := ts.ReadFile("stderr")
	if !strings.Contains("\n"+said, "\nerror: ") || !strings.Contains(said, "\nhint: ") {
		ts.Fatalf("no error or no hint")
	}
	if strings.Contains(said, "goroutine ") {
		ts.Fatalf("a stack trace is not for users")
	}
	compare(ts, before, contents(ts, root))
}

// expand replaces ${NAME} in files by the script's variables.
//
//	expand FILE...
func expand(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "expand FILE...")
	for _, file := range args {
		text := regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(ts.ReadFile(file), func(ref string) string {
			value := ts.Getenv(ref[2 : len(ref)-1])
			if value == "" {
				ts.Fatalf("%s has no value", ref)
			}
			return value
		})
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}

// writeBytes writes what does not fit well into a script: a Go string.
//
//	bytes FILE '"text\r\n"'
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, `bytes FILE '"TEXT"'...`)
	var all strings.Builder
	for _, quoted := range args[1:] {
		text, err := strconv.Unquote(quoted)
		ts.Check(err)
		all.WriteString(text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(all.String()), 0o644))
}

// edit replaces a regular expression in a file; it has to be there.
//
//	edit FILE REGEXP REPLACEMENT
func edit(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 3, "edit FILE REGEXP REPLACEMENT")
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	replacement, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	text := ts.ReadFile(args[0])
	if !re.MatchString(text) {
		ts.Fatalf("%s has nothing like %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(re.ReplaceAllLiteralString(text, replacement)), 0o644))
}

// listed has the plan.json of a bundle list one more file as the bundle's, as if
// bundlegen had written it.
//
//	listed FOLDER NAME
func listed(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "listed FOLDER NAME")
	file := ts.MkAbs(filepath.Join(args[0], "plan.json"))
	text := ts.ReadFile(file)
	text = regexp.MustCompile(`"files": \{`).ReplaceAllLiteralString(text, fmt.Sprintf("\"files\": {\n    %q: \"00\",", args[1]))
	digest := regexp.MustCompile(`"digest": "[0-9a-f]*"`)
	sum := sha256.Sum256([]byte(digest.ReplaceAllLiteralString(text, `"digest": ""`)))
	text = digest.ReplaceAllLiteralString(text, fmt.Sprintf(`"digest": "%x"`, sum))
	ts.Check(os.WriteFile(file, []byte(text), 0o644))
}

// remember keeps what is in a folder, for unchanged to compare with.
//
//	remember FOLDER
func remember(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "remember FOLDER")
	sceneOf(ts).remembered[args[0]] = contents(ts, ts.MkAbs(args[0]))
}

// unchanged wants a folder to be as it was when remember was called: the same
// files with the same bytes.
//
//	unchanged FOLDER
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "unchanged FOLDER")
	before, ok := sceneOf(ts).remembered[args[0]]
	if !ok {
		ts.Fatalf("%s was not remembered", args[0])
	}
	compare(ts, before, contents(ts, ts.MkAbs(args[0])))
}

// contents returns the hash of every file below a folder, by path; folders are there
// too, and where links lead.
func contents(ts *testscript.TestScript, root string) map[string]string {
	out := map[string]string{}
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || d.IsDir() {
			out[name+"/"] = ""
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			out[name], err = os.Readlink(path)
			return err
		}
		data, err := os.ReadFile(path)
		out[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	}))
	return out
}

func compare(ts *testscript.TestScript, before, after map[string]string) {
	var changes []string
	for name, was := range before {
		if is, there := after[name]; !there {
			changes = append(changes, "gone: "+name)
		} else if is != was {
			changes = append(changes, "changed: "+name)
		}
	}
	for name := range after {
		if _, there := before[name]; !there {
			changes = append(changes, "new: "+name)
		}
	}
	slices.Sort(changes)
	if len(changes) > 0 {
		ts.Fatalf("nothing should have been written, but:\n%s", strings.Join(changes, "\n"))
	}
}

// start runs a program in the background under a name.
//
//	start NAME PROGRAM ARG...
func start(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "start NAME PROGRAM ARG...")
	s := sceneOf(ts)
	s.processes[args[0]] = launch(ts, args[1:])
}

// interrupt does what Ctrl-C does to a program in the background.
//
//	interrupt NAME
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "interrupt NAME")
	ts.Check(named(ts, args[0]).cmd.Process.Signal(syscall.SIGINT))
}

// quit does what Ctrl-\ does to a program in the background.
//
//	quit NAME
func quit(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "quit NAME")
	ts.Check(named(ts, args[0]).cmd.Process.Signal(syscall.SIGQUIT))
}

// ended waits for the end of a program in the background and wants an exit
// code; what it wrote is then what stdout and stderr look at.
//
//	ended NAME CODE
func ended(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "ended NAME CODE")
	p := named(ts, args[0])
	waitFor(ts, "the end of "+args[0], func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	fmt.Fprint(ts.Stdout(), p.stdout.String())
	fmt.Fprint(ts.Stderr(), p.stderr.String())
	if got, want := p.cmd.ProcessState.ExitCode(), number(ts, args[1]); got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

func named(ts *testscript.TestScript, name string) *process {
	p, ok := sceneOf(ts).processes[name]
	if !ok {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}
