package crash_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/internal/crash"
)

// TestMain is the program that panics, where it is started as one.
func TestMain(m *testing.M) {
	how := os.Getenv("CRASH")
	if how == "" {
		os.Exit(m.Run())
	}
	os.Exit(crash.Main(func() int {
		if how == "goroutine" {
			go func() {
				defer crash.Exit()
				fail(how)
			}()
			select {}
		}
		fail(how)
		return 0
	}))
}

func fail(how string) {
	switch how {
	case "secret":
		panic("the password is hunter2")
	case "nil":
		var p *struct{ n int }
		p.n++
	case "none":
	default:
		_ = []int{1}[len(how)]
	}
}

func TestAFaultIsReported(t *testing.T) {
	for how, want := range map[string]string{
		"index":     `^error: a fault in \S+ itself: runtime error: index out of range \[5\] with length 1\nat: crash_test\.fail \(crash_test\.go:\d+\) < .*\nhint: .*please report it.*\n$`,
		"goroutine": `^error: a fault in \S+ itself: runtime error: index out of range \[9\] with length 1\nat: crash_test\.fail \(crash_test\.go:\d+\) < .*\nhint: .*\n$`,
		"nil":       `^error: a fault in \S+ itself: runtime error: invalid memory address or nil pointer dereference\nat: crash_test\.fail .*\nhint: .*\n$`,
		"secret":    `^error: a fault in \S+ itself: a panic with a value of type string\nat: crash_test\.fail .*\nhint: .*\n$`,
	} {
		program := exec.Command(os.Args[0])
		program.Env = append(os.Environ(), "CRASH="+how)
		said, err := program.CombinedOutput()
		var ended *exec.ExitError
		require.ErrorAs(t, err, &ended, how)
		require.Equal(t, 1, ended.ExitCode(), how)
		require.Regexp(t, want, string(said))
		require.NotContains(t, string(said), "hunter2")
	}
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), "CRASH=none")
	require.NoError(t, program.Run())
}

// Every goroutine of the programs defers Exit first, and every program is run by
// package program, which calls Main: a panic anywhere else would end in a stack.
// What only tests run, and the local Spark, which imports nothing of ours, is
// left aside.
func TestEveryGoroutineIsGuarded(t *testing.T) {
	const root = "../.."
	goroutines, programs := 0, 0
	for _, folder := range []string{"bundlegen", "extractor", "pipeline", "internal", "cmd", "templates"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && (slices.Contains([]string{"enginetest", "testdata", "localspark"}, d.Name())) {
				if err == nil {
					err = filepath.SkipDir
				}
				return err
			}
			if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			files := token.NewFileSet()
			tree, err := parser.ParseFile(files, file, nil, 0)
			require.NoError(t, err)
			ast.Inspect(tree, func(n ast.Node) bool {
				var started ast.Expr
				switch n := n.(type) {
				case *ast.GoStmt:
					started = n.Call.Fun
				case *ast.CallExpr:
					method, ok := n.Fun.(*ast.SelectorExpr)
					if !ok || method.Sel.Name != "Go" || len(n.Args) != 1 {
						return true
					}
					started = n.Args[0]
				default:
					return true
				}
				goroutines++
				require.True(t, guarded(started), "%s: a goroutine that does not begin with defer crash.Exit()", files.Position(n.Pos()))
				return true
			})
			if filepath.Base(file) == "main.go" && strings.Contains(filepath.ToSlash(file), "/cmd/") {
				programs++
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Contains(t, string(text), "program.Run(", file)
			}
			return nil
		}))
	}
	require.Greater(t, goroutines, 10)
	require.Equal(t, 3, programs)
}

// guarded reports whether a function begins with defer crash.Exit(), behind what
// else it defers there: nobody is to be told that it is done.
func guarded(started ast.Expr) bool {
	f, ok := started.(*ast.FuncLit)
	if !ok || len(f.Body.List) == 0 {
		return false
	}
	var last *ast.DeferStmt // of those that it begins with
	for _, statement := range f.Body.List {
		deferred, ok := statement.(*ast.DeferStmt)
		if !ok {
			break
		}
		last = deferred
	}
	if last == nil {
		return false
	}
	called, ok := last.Call.Fun.(*ast.SelectorExpr)
	if !ok || called.Sel.Name != "Exit" {
		return false
	}
	in, ok := called.X.(*ast.Ident)
	return ok && in.Name == "crash"
}
