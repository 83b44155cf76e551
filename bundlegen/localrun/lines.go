package localrun

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// lines is a log for a person who waits: each message is a line, and no more.
type lines struct{ w io.Writer }

func (l lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (l lines) Handle(_ context.Context, r slog.Record) error {
	_, err := fmt.Fprintln(l.w, r.Message)
	return err
}

func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }
