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
	over  func() error // when it returns an error, what is still logged is of no interest: a run that was cancelled; may be nil
}

func (l lines) Enabled(_ context.Context, level slog.Level) bool {
	return level >= l.least && (l.over == nil || l.over() == nil)
}

func (l lines) Handle(_ context.Context, r slog.Record) error {
	var with []string
	r.Attrs(func(a slog.Attr) bool {
		value, _, _ := strings.Cut(a.Value.String(), "\n") // an error's hint stands at the run's end
		with = append(with, a.Key+" "+value)
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
