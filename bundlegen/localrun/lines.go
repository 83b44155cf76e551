package localrun

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/bundlegen/bundlegen/internal/text"
)

// lines is a log for a person who waits: each message is a line with what belongs
// to it, and no more.
type lines struct {
	w     io.Writer
	least slog.Level
}

func (l lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.least }

func (l lines) Handle(_ context.Context, r slog.Record) error {
	var with []string
	r.Attrs(func(a slog.Attr) bool {
		with = append(with, a.Key+" "+a.Value.String())
		return true
	})
	line := r.Message
	if len(with) > 0 {
		line += " (" + strings.Join(with, ", ") + ")"
	}
	_, err := fmt.Fprintln(l.w, text.Lines(line))
	return err
}

func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l lines) WithGroup(string) slog.Handler      { return l }
