package duckdb

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
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

func contains(text string, any ...string) bool {
	for _, s := range any {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
