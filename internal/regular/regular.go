// Package regular reads files that a person named, within bounds: never a pipe
// that nobody writes to, a device without an end, or more bytes than any such
// file has.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// ErrFolder is the error for a folder where a file is expected.
var ErrFolder = errors.New("it is a folder, not a file")

// Open opens a file for reading. What is no regular file, directly or at the end
// of a link, is an error and is not opened: opening a pipe would wait for a
// writer, and reading a device might never end. Every error is an *fs.PathError.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		var wrong *fs.PathError
		if errors.As(err, &wrong) {
			wrong.Op = "open" // which is what was asked for
		}
		return nil, err
	}
	if err := Check(info); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.Open(path)
}

// Read reads a regular file of at most so many bytes, whole. Every error is an
// *fs.PathError.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read: closing cannot lose anything
	data, err := ReadAll(f, most)
	if err != nil {
		return nil, pathError(path, err)
	}
	return data, nil
}

// OpenIn is Open for a file below an opened folder; what a link there leads to
// outside of the folder is an error that Escapes recognizes.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := Check(info); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return root.Open(name)
}

// ReadIn is Read for a file below an opened folder, as OpenIn opens it.
func ReadIn(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := OpenIn(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read: closing cannot lose anything
	data, err := ReadAll(f, most)
	if err != nil {
		return nil, pathError(name, err)
	}
	return data, nil
}

// Escapes reports whether an error of an os.Root is that a path leads out of it:
// package os has no error to compare with.
func Escapes(err error) bool {
	var wrong *fs.PathError
	return errors.As(err, &wrong) && wrong.Err.Error() == "path escapes from parent"
}

// Within adds what to do to an error about a link that leads out of a bundle's folder.
func Within(dir string, err error) error {
	if err == nil || !Escapes(err) {
		return err
	}
	return diag.WithHint(fmt.Errorf("%s: a link leads out of the folder: %w", dir, err),
		"a bundle's folder holds no such links: remove it, then run the same command again")
}

// ReadAll reads to the end of r, and no further than one byte past most: more is
// an error.
func ReadAll(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, tooLarge(most)
	}
	return data, err
}

// Limit returns a reader of r that fails once more than so many bytes were read.
func Limit(r io.Reader, most int64) io.Reader { return &limited{r: r, left: most, most: most} }

type limited struct {
	r          io.Reader
	left, most int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, tooLarge(l.most)
	}
	return n, err
}

func tooLarge(most int64) error { return fmt.Errorf("it is larger than %s", size(most)) }

// Check returns an error for what is no regular file.
func Check(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return ErrFolder
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("it is a pipe, not a regular file")
	case mode&fs.ModeSocket != 0:
		return errors.New("it is a socket, not a regular file")
	case mode&fs.ModeDevice != 0:
		return errors.New("it is a device, not a regular file")
	default:
		return errors.New("it is not a regular file")
	}
}

func pathError(path string, err error) error {
	var known *fs.PathError
	if errors.As(err, &known) {
		return err
	}
	return &fs.PathError{Op: "read", Path: path, Err: err}
}

// size returns a bound as people write it.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<10:
		return fmt.Sprintf("%d KiB", bytes>>10)
	default:
		return fmt.Sprintf("%d bytes", bytes)
	}
}
