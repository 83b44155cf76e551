package nodecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bundlegen/bundlegen/internal/sleep"
)

// sample is how much is written and read back.
const sample = 1 << 20

// tryFolder does in a folder what staging does: each step in the order of a batch.
// The folder is made and removed again.
func tryFolder(dir string) Finding {
	f := Finding{Check: "folder", Subject: dir, State: OK, Figures: map[string]any{}}
	fail := func(step string, err error) Finding {
		f.State, f.Detail = Fail, err.Error()
		f.Figures["step"] = step
		return f
	}
	timed := func(name string, do func() error) error {
		start := time.Now()
		err := do()
		f.Figures[name+"_ms"] = time.Since(start).Milliseconds()
		return err
	}
	if err := timed("create", func() error { return os.MkdirAll(dir, 0o700) }); err != nil {
		return fail("create the folder", err)
	}
	content := bytes.Repeat([]byte("pi-extractor"), sample/12+1)[:sample]
	path := filepath.Join(dir, "whole.tmp")
	if err := timed("write", func() error { return writeNew(path, content) }); err != nil {
		return fail("write 1 MiB and sync it", err)
	}
	switch again, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); {
	case err == nil:
		return fail("refuse to create a file that is there", errors.Join(errors.New("it was created once more"), again.Close()))
	case !errors.Is(err, fs.ErrExist):
		return fail("refuse to create a file that is there", err)
	}
	var back []byte
	if err := timed("read", func() (err error) { back, err = os.ReadFile(path); return err }); err != nil {
		return fail("read the file back", err)
	} else if !bytes.Equal(back, content) {
		return fail("read the file back", fmt.Errorf("%d bytes came back, and not those that were written", len(back)))
	}
	// A volume of Databricks knows no rename, which staging does without.
	switch err := os.Rename(path, filepath.Join(dir, "whole")); {
	case err == nil:
		f.Figures["rename"] = "works"
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EXDEV):
		var number syscall.Errno
		errors.As(err, &number)
		f.Figures["rename"] = fmt.Sprintf("errno %d", int(number))
	default:
		return fail("rename a file, or refuse it as unsupported", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fail("list the folder", err)
	} else if len(entries) != 1 {
		return fail("list the folder", fmt.Errorf("it lists %d files where there is 1", len(entries)))
	}
	if err := timed("remove", func() error { return os.RemoveAll(dir) }); err != nil {
		return fail("remove the folder", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fail("remove the folder", errors.New("it is still there"))
	}
	return f
}

// writeNew makes a file that is not there, with everything durable before it returns.
func writeNew(path string, content []byte) error {
	w, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Sync(), w.Close())
}

const (
	listingPatience = 30 * time.Second
	listingPause    = 20 * time.Millisecond
)

// listed waits until the Parquet files that Spark has written into a folder are
// seen here, then removes the folder.
func listed(ctx context.Context, n Node, args []string) error {
	f := Finding{Check: "listed", Subject: args[0], State: OK}
	start := time.Now()
	for {
		entries, err := os.ReadDir(args[0])
		found := 0
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".parquet") {
				found++
			}
		}
		late := time.Since(start)
		f.Figures = map[string]any{"files": found, "milliseconds": late.Milliseconds()}
		if found > 0 {
			break
		}
		if late > listingPatience {
			f.State, f.Detail = Fail, fmt.Sprintf("no file of Spark's is listed after %s", listingPatience)
			if err != nil {
				f.Detail += ": " + err.Error()
			}
			break
		}
		if err := sleep.For(ctx, listingPause); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(args[0]); err != nil && f.State == OK {
		f.State, f.Detail = Fail, "what Spark wrote cannot be removed: "+err.Error()
	}
	return n.tell(f)
}
