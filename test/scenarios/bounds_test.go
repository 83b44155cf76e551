package scenarios_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInventoriesWithoutAnEnd: what is named as an inventory and is none, or is
// one without an end, is refused with a clear message. The program takes no more
// than 512 MiB for it; that it ends is bounded far above what it takes.
func TestInventoriesWithoutAnEnd(t *testing.T) {
	const mib = 1 << 20
	file := func(name string, parts ...io.Reader) func(string) string {
		return func(dir string) string {
			f, err := os.Create(filepath.Join(dir, name))
			require.NoError(t, err)
			_, err = io.Copy(f, io.MultiReader(parts...))
			require.NoError(t, errors.Join(err, f.Close()))
			return name
		}
	}
	text := func(s string) io.Reader { return strings.NewReader(s) }
	over := func(s string, size int64) io.Reader { return io.LimitReader(&repeated{text: []byte(s)}, size) }
	for name, c := range map[string]struct {
		make func(dir string) string
		want string
	}{
		"a device": {func(string) string { return "/dev/zero" }, `error: pipeline.yml: inventory: "/dev/zero": it is a device, not a regular file; allowed: a CSV file`},
		"a pipe": {func(dir string) string {
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o600))
			return "pipe.csv"
		}, `error: pipeline.yml: inventory: "pipe.csv": it is a pipe, not a regular file; allowed: a CSV file`},
		"zeros": {func(dir string) string {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "zeros.csv"), nil, 0o600))
			require.NoError(t, os.Truncate(filepath.Join(dir, "zeros.csv"), 3<<30))
			return "zeros.csv"
		}, "zeros.csv:1:1: a line of more than 1 MiB"},
		"a wide header":           {file("wide.csv", text("tag"), over(",column", 100_000*int64(len(",column"))), text("\nA\n")), "wide.csv:1:1: a header of 100001 columns; allowed: at most 1000"},
		"a wide header and rows":  {file("wide.csv", text("tag"), over(",c", 200_000), text("\n"), over("A\n", 200*mib)), "wide.csv:1:1: a header of 100001 columns"},
		"an open quote":           {file("quote.csv", text("tag,tier\nA,standard\n\""), over("x", 220*mib)), "quote.csv:3:1: a line of more than 1 MiB"},
		"an open quote and lines": {file("quote.csv", text("tag,tier\nA,standard\n\"B,standard\n"), over("an ordinary row,standard\n", 220*mib)), "quote.csv:3:1: quotes that are not closed on their line"},
		"line breaks":             {file("breaks.csv", text("tag\n"), over("\n", 220*mib)), "230686720 lines; allowed: at most 10000000 tags"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			yml := "version: 1\nname: demo\ncatalog: main\ninventory: " + c.make(dir) + "\nsites: [{name: plant-a, url: https://pi.example, auth: {kind: anonymous}}]\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "pipeline.yml"), []byte(yml), 0o600))
			program, err := filepath.Abs(filepath.Join(built, "bundlegen"))
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, "plan")
			var stderr bytes.Buffer
			cmd.Dir, cmd.Stderr = dir, &stderr
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Run(), &exit)
			require.Equal(t, 1, exit.ExitCode(), stderr.String())
			require.Contains(t, stderr.String(), c.want)
			require.Contains(t, stderr.String(), "\nhint: ")
			require.Less(t, stderr.Len(), 4000)
			used := exit.SysUsage().(*syscall.Rusage)
			require.Less(t, used.Maxrss/1024, int64(512), "MiB")
			t.Logf("%d MiB, %s", used.Maxrss/1024, exit.UserTime())
		})
	}
}

// repeated is a reader of one text over and over.
type repeated struct {
	text []byte
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n, r.at = n+k, (r.at+k)%len(r.text)
	}
	return n, nil
}
