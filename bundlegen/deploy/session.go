package deploy

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/databricks/cli/bundle"
	"github.com/databricks/cli/bundle/phases"
	bundlecmd "github.com/databricks/cli/cmd/bundle"
	"github.com/databricks/cli/cmd/root"
	"github.com/databricks/cli/libs/cmdctx"
	"github.com/databricks/cli/libs/cmdio"
	"github.com/databricks/cli/libs/env"
	"github.com/databricks/cli/libs/flags"
	"github.com/databricks/cli/libs/locker"
	clilog "github.com/databricks/cli/libs/log"
	"github.com/databricks/cli/libs/log/handler"
	"github.com/databricks/cli/libs/logdiag"
	"github.com/databricks/databricks-sdk-go"
	"github.com/spf13/cobra"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// releaseTimeout bounds what giving back a lock may add to an interrupted verb.
const releaseTimeout = 10 * time.Second

// verb is what a session is opened for.
type verb struct {
	name   string // as after `databricks bundle`
	dir    string
	target string
	quiet  bool // takes seconds only: nothing is printed before it has ended
}

// session is one bundle, opened on one target for one verb. It is used by one
// goroutine and closed once.
type session struct {
	verb
	ctx      context.Context // carries everything that the CLI looks up in its context
	cancel   context.CancelCauseFunc
	console  *console
	bundle   *bundle.Bundle
	warnings int  // of loading the bundle
	entering bool // host and credentials are looked for
	link     *link
	client   *databricks.WorkspaceClient
}

// open loads the bundle, selects the target, finds host and credentials, and
// makes sure that the workspace answers.
func (c CLI) open(ctx context.Context, v verb) (*session, error) {
	s := &session{verb: v, console: newConsole(out(c.Stderr), v.quiet, c.Told)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	err := s.load()
	if err == nil {
		s.entering = true
		err = s.connect(orElse(c.Hello, DefaultHello), orElse(c.Patience, DefaultPatience))
	}
	if err != nil {
		return nil, s.close(err)
	}
	s.entering = false
	return s, nil
}

// load reads databricks.yml and what it includes, and selects the target.
func (s *session) load() error {
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	if err := noWayOut(dir); err != nil {
		return err
	}
	// Settings of the CLI travel in the context; it looks there before it looks
	// into the process environment.
	s.ctx = env.Set(s.ctx, "DATABRICKS_CLI_DISABLE_TELEMETRY", "true")
	s.ctx = env.Set(s.ctx, "DATABRICKS_OUTPUT_FORMAT", "text")
	s.ctx = clilog.NewContext(s.ctx, s.logger())

	s.bundle, err = bundle.Load(s.ctx, dir)
	if err != nil {
		return diag.WithHint(err, "run `bundlegen generate` first")
	}
	// What the CLI says while loading is counted here and nowhere else.
	ctx := logdiag.IsolatedContext(cmdio.InContext(s.ctx,
		cmdio.NewIO(s.ctx, flags.OutputText, strings.NewReader(""), s.console, s.console, "", "")))
	logdiag.SetRoot(ctx, dir)
	phases.LoadNamedTarget(ctx, s.bundle, s.target)
	s.warnings = logdiag.NumWarnings(ctx)
	if logdiag.HasError(ctx) {
		return root.ErrAlreadyPrinted
	}
	s.ctx = bundle.Context(s.ctx, s.bundle)
	return nil
}

// execute runs `databricks bundle ARGS` on the session's bundle, once, and
// returns what it wrote to stdout.
func (s *session) execute(args ...string) ([]byte, error) {
	defer restoreLoggers()()
	var stdout bytes.Buffer
	command := root.New(s.ctx)
	command.AddGroup(&cobra.Group{ID: "development"}) // bundle's; cmd.New adds a hundred commands beside it
	command.AddCommand(bundlecmd.New())
	command.SetArgs(append([]string{"bundle"}, args...))
	command.SetIn(strings.NewReader("")) // never asks
	command.SetOut(&stdout)
	command.SetErr(s.console)

	// The CLI logs to the process's stderr; here its log goes where the rest goes.
	prepare := command.PersistentPreRunE
	command.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		err := prepare(cmd, args)
		cmd.SetContext(clilog.NewContext(cmd.Context(), s.logger()))
		return err
	}
	err := root.Execute(cmdctx.SetConfigUsed(s.ctx, s.client.Config), command)
	return []byte(s.console.clean(stdout.String())), err
}

// close ends the session and turns what went wrong, if anything, into the error
// to return.
func (s *session) close(err error) error {
	interrupted := context.Cause(s.ctx) // why the verb was cut short, if it was
	if interrupted != nil {
		s.releaseLock()
	}
	s.cancel(context.Canceled)
	if s.link != nil {
		s.link.close()
	}
	text := strings.TrimSpace(s.console.finish(err == nil))
	switch {
	case err == nil:
		return nil
	case interrupted != nil:
		return interrupted
	case diag.Hint(err) != "": // made in this package
		return err
	}
	failure := &Error{Diagnostics: strings.TrimPrefix(text, "Error: ")}
	if text == "" { // the CLI prints nearly every error itself
		failure.Diagnostics = s.console.clean(err.Error())
	}
	return diag.WithHint(failure, "%s", hintFor(text+err.Error(), place{s.name, s.target, s.host(), s.dir, s.entering}))
}

// host is the workspace, as far as it is known.
func (s *session) host() string {
	if s.client != nil {
		return s.client.Config.Host
	}
	return "your workspace's URL"
}

// releaseLock returns back the deployment lock of a verb that was cut short, so
// that the next one is not refused. When that does not work, the next one says
// so.
func (s *session) releaseLock() {
	if s.bundle == nil || s.bundle.Locker == nil || !s.bundle.Locker.Active {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), releaseTimeout)
	defer cancel()
	s.link.rebind(ctx)
	if err := s.bundle.Locker.Unlock(ctx, locker.AllowLockFileNotExist); err != nil {
		s.logger().Warn("the deployment lock could not be given back", "error", err)
	}
}

// logger writes the CLI's log to the session's console: warnings, or what
// DATABRICKS_LOG_LEVEL says.
func (s *session) logger() *slog.Logger {
	level := flags.NewLogLevelFlag()
	if v, ok := env.Lookup(s.ctx, "DATABRICKS_LOG_LEVEL"); ok {
		_ = level.Set(v) // an unknown level is ignored, as by the CLI
	}
	return slog.New(noErrors{handler.NewFriendlyHandler(s.console, &handler.Options{Level: level.Level()})})
}

// noErrors is a log handler without errors: whatever the CLI logs as an error it
// returns too.
type noErrors struct{ slog.Handler }

func (h noErrors) Enabled(ctx context.Context, l slog.Level) bool {
	return l < slog.LevelError && h.Handler.Enabled(ctx, l)
}

func (h noErrors) WithAttrs(attrs []slog.Attr) slog.Handler {
	return noErrors{h.Handler.WithAttrs(attrs)}
}

func (h noErrors) WithGroup(name string) slog.Handler { return noErrors{h.Handler.WithGroup(name)} }

// restoreLoggers returns a function that undoes what the CLI does to the
// process's default loggers.
func restoreLoggers() func() {
	def, w, f := slog.Default(), log.Writer(), log.Flags()
	return func() {
		slog.SetDefault(def)
		log.SetOutput(w)
		log.SetFlags(f)
	}
}
