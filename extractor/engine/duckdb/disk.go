package duckdb

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// DiskTrouble says what is wrong with the data folder's disk, in words that
// follow the folder's name: when err, of a task or of this package, comes from a
// disk that is full or may not be written. Otherwise it is "". Of DuckDB's
// errors it goes by their text, which is all they have.
func DiskTrouble(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), contains(text, "No space left on device", "no space left on device", "Disk quota exceeded"):
		return "is on a disk that is full"
	case errors.Is(err, syscall.EROFS), contains(text, "Read-only file system"):
		return "is on a disk that is read-only"
	case errors.Is(err, fs.ErrPermission), contains(text, `": Permission denied`):
		return "may not be written by this user"
	}
	return ""
}

// damaged explains an error of a database file that is not, or not any more, what
// DuckDB wrote. Any other error is returned as it is.
func damaged(path string, err error) error {
	switch text := err.Error(); {
	case contains(text, "a database file with version number"):
		return diag.WithHint(fmt.Errorf("%s: another version of DuckDB made it: %s", path, cause(text)),
			"run it with the bundlegen that made it, or a newer one")
	case contains(text, "Corrupt database file", "not a valid DuckDB database", "Could not read enough bytes", "Is a directory", "replaying WAL", "Serialization Error"):
		return diag.WithHint(fmt.Errorf("%s is damaged, or is no file of DuckDB: %s", path, cause(text)),
			"put a copy of it back; or move it and %s.wal away: the next run makes a new one, and reads what extract.backfill says again", FileName)
	}
	return err
}

// cause is the first line of what DuckDB says, without the driver's words before it.
func cause(text string) string {
	if i := strings.LastIndex(text, "Error: "); i >= 0 {
		text = text[i+len("Error: "):]
	}
	return firstLineOf(text)
}

func contains(text string, any ...string) bool {
	for _, s := range any {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

func firstLine(err error) string { return firstLineOf(err.Error()) }

func firstLineOf(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}
