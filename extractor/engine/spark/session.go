package spark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// protocol is the version of the pipe's messages.
const protocol = 1

// silence is how long the launcher may say nothing: it says every 5 s that it is at work.
const silence = time.Minute

// mostLine bounds a message from the launcher, in bytes: it sends at most 5,000 rows in one.
const mostLine = 256 << 20

// oldest is the oldest Spark whose behaviour the engine was proved on.
const oldest = 4

// Session is the launcher at the other end of the pipe. It is safe for
// concurrent use; requests go one after the other. After an error of the pipe
// itself every later call fails.
type Session struct {
	hello Hello
	lines <-chan line
	quiet time.Duration

	mu     sync.Mutex
	out    *json.Encoder
	id     int64 // of the last request
	broken error
}

// Hello is what the launcher says of its Spark session.
type Hello struct {
	Spark  string `json:"spark"`
	Python string `json:"python"`
	Remote bool   `json:"remote"` // Spark Connect
	Driver string `json:"driver"` // address at which workers reach this machine
}

// answer is a line from the launcher.
type answer struct {
	V     int                 `json:"v"`
	Hello *Hello              `json:"hello"`
	ID    int64               `json:"id"`
	Busy  bool                `json:"busy"`
	Rows  [][]json.RawMessage `json:"rows"`
	Done  bool                `json:"done"`
	Error *struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

type line struct {
	answer
	err error
}

// errLauncher says that the other end of the pipe is of no use any more.
var errLauncher = errors.New("the launcher or its Spark session ended")

// Dial reads the launcher's greeting. It fails when the launcher speaks another
// version, or its Spark is too old.
func Dial(ctx context.Context, replies io.Reader, requests io.Writer) (*Session, error) {
	s := &Session{lines: readLines(replies), quiet: silence, out: json.NewEncoder(requests)}
	s.out.SetEscapeHTML(false)
	first, err := s.next(ctx)
	switch {
	case err != nil:
		return nil, err
	case first.Error != nil:
		return nil, fmt.Errorf("the session: %s", first.Error.Message)
	case first.Hello == nil:
		return nil, diag.WithHint(errors.New("the launcher did not greet"),
			"the wheel's launcher starts this program; by hand use --engine=duckdb")
	}
	s.hello = *first.Hello
	var major int
	if _, err := fmt.Sscanf(s.hello.Spark, "%d.", &major); err != nil || major < oldest {
		return nil, diag.WithHint(fmt.Errorf("this Spark, %s, is too old: %d.0 is the oldest that this program works with", s.hello.Spark, oldest),
			"compute.spark_version 17.3.x-scala2.13 or newer in pipeline.yml")
	}
	return s, nil
}

// Hello gives the launcher's greeting.
func (s *Session) Hello() Hello { return s.hello }

// readLines decodes what comes until the reader ends; the channel then has the
// reason as its last element.
func readLines(r io.Reader) <-chan line {
	out := make(chan line, 1)
	go func() {
		defer close(out)
		defer crash.Exit()
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 64<<10), mostLine)
		for lines.Scan() {
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l.answer); err != nil {
				out <- line{err: fmt.Errorf("a message of the launcher is no JSON: %w", err)}
				return
			}
			if l.V != protocol {
				out <- line{err: diag.WithHint(fmt.Errorf("the launcher speaks version %d of the protocol, this program %d", l.V, protocol),
					"the wheel was put together from two versions: bundlegen generate makes a new one")}
				return
			}
			out <- l
		}
		err := lines.Err()
		if err == nil {
			err = errLauncher
		}
		out <- line{err: fmt.Errorf("pipe to the launcher: %w", err)}
	}()
	return out
}

// next waits for a message, with a bound.
func (s *Session) next(ctx context.Context) (answer, error) {
	quiet := time.NewTimer(s.quiet)
	defer quiet.Stop()
	select {
	case l, open := <-s.lines:
		if !open {
			return answer{}, errLauncher
		}
		return l.answer, l.err
	case <-quiet.C:
		return answer{}, fmt.Errorf("the launcher said nothing for %s: its Spark session hangs", s.quiet)
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// request is a line to the launcher.
type request struct {
	V         int            `json:"v"`
	ID        int64          `json:"id"`
	Verb      string         `json:"verb"`
	Statement string         `json:"statement,omitempty"`
	Args      map[string]any `json:"args,omitempty"`
	*appending
	*sharding
}

// appending is what the verb append takes.
type appending struct {
	Query    string `json:"query"`
	Table    string `json:"table"`
	App      string `json:"app"`
	Version  int64  `json:"version"`
	Metadata string `json:"metadata"`
}

// sharding is what the verb shards takes.
type sharding struct {
	Specs  []string `json:"specs"`
	Lanes  int      `json:"lanes"`
	Schema string   `json:"schema"`
	Select []string `json:"select"`
	Path   string   `json:"path"`
}

// call sends a request and waits for its answer; each is told of every row.
func (s *Session) call(ctx context.Context, r request, each func(row) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	s.id++
	r.V, r.ID = protocol, s.id
	if err := s.out.Encode(r); err != nil {
		s.broken = fmt.Errorf("%w: %w", errLauncher, err)
		return s.broken
	}
	var bad error
	for {
		a, err := s.next(ctx)
		if err != nil {
			s.broken = err // an answer may still come, and must not be taken for another's
			return err
		}
		switch {
		case a.ID != s.id:
			s.broken = fmt.Errorf("the launcher answered request %d, not %d", a.ID, s.id)
			return s.broken
		case a.Error != nil:
			return &Failure{Type: a.Error.Type, Message: a.Error.Message, Statement: r.Statement + r.queryText()}
		case a.Done:
			return bad
		}
		for _, values := range a.Rows {
			if bad == nil && each != nil {
				bad = each(values)
			}
		}
	}
}

func (r *request) queryText() string {
	if r.appending == nil {
		return ""
	}
	return r.Query
}

// row is one row of an answer.
type row []json.RawMessage

// scan reads the row's values into pointers; a null leaves what is there.
func (r row) scan(dest ...any) error {
	if len(r) != len(dest) {
		return fmt.Errorf("a row has %d values where %d were asked for", len(r), len(dest))
	}
	for i, d := range dest {
		if err := json.Unmarshal(r[i], d); err != nil {
			return fmt.Errorf("value %d of a row: %w", i+1, err)
		}
	}
	return nil
}

// sql runs a statement; each is told of every row, if it is given.
func (s *Session) sql(ctx context.Context, statement string, args map[string]any, each func(row) error) error {
	return s.call(ctx, request{Verb: "sql", Statement: statement, Args: args}, each)
}

// Failure is an error of Spark or Delta.
type Failure struct {
	Type      string // class of the exception
	Message   string
	Statement string
}

// Error gives what a person can use of the message: its first line, and the
// root of its causes, without the stacks of three languages.
func (f *Failure) Error() string {
	text, more, _ := strings.Cut(f.Message, "\n")
	if len(text) > mostText {
		text = strings.ToValidUTF8(text[:mostText], "") + "…"
	}
	if i := strings.LastIndex(more, causedBy); i >= 0 {
		cause, _, _ := strings.Cut(more[i:], "\n")
		text += "\n" + cause
	}
	if hint := f.Hint(); hint != "" {
		return diag.Hinted(text, hint)
	}
	return f.Type + ": " + text
}

// mostText bounds the first line of an error, in bytes: Spark writes whole plans into it.
const mostText = 500

const causedBy = "Caused by: "

var condition = regexp.MustCompile(`\[([A-Z][A-Z0-9_]{3,}(?:\.[A-Z0-9_]+)*)\]`)

// Condition is Spark's own name of the error, such as TABLE_OR_VIEW_NOT_FOUND; "" when it has none.
func (f *Failure) Condition() string {
	if m := condition.FindStringSubmatch(f.Message); m != nil {
		return m[1]
	}
	return ""
}

// is says whether err is a Failure with one of the conditions; a name that ends
// in * stands for all that begin like it.
func is(err error, names ...string) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return false
	}
	c := f.Condition()
	for _, n := range names {
		if stem, ok := strings.CutSuffix(n, "*"); ok && strings.HasPrefix(c, stem) || c == n {
			return true
		}
	}
	return false
}

// isConflict says whether a commit lost against another one that came first:
// nothing of it was written.
func isConflict(err error) bool {
	if is(err, "DELTA_CONCURRENT_*", "DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED", "CONCURRENT_*") {
		return true
	}
	var f *Failure
	return errors.As(err, &f) && conflictClass.MatchString(f.Type+" "+f.Message)
}

var conflictClass = regexp.MustCompile(`\b(Concurrent(Append|DeleteRead|DeleteDelete|Transaction|Write)|MetadataChanged|ProtocolChanged|CommitFailed)Exception\b`)

// Hint says what to do about an error that a person can mend; "" when there is no telling.
func (f *Failure) Hint() string {
	c := f.Condition()
	switch {
	case strings.Contains(c, "PERMISSION") || c == "UNAUTHORIZED_ACCESS" || strings.Contains(c, "_PRIVILEGE"):
		return "grant the job's identity what the message names, for instance\n  GRANT USE CATALOG, CREATE SCHEMA ON CATALOG … TO `…`;\n  GRANT USE SCHEMA, CREATE TABLE, CREATE VOLUME, SELECT, MODIFY, READ VOLUME, WRITE VOLUME ON SCHEMA … TO `…`;"
	case c == "CATALOG_NOT_FOUND" || c == "NO_SUCH_CATALOG_EXCEPTION" || strings.Contains(f.Message, "REQUIRES_SINGLE_PART_NAMESPACE"):
		return "make the catalog, or write the right one as catalog (or targets.NAME.catalog) in pipeline.yml"
	case c == "SCHEMA_NOT_FOUND":
		return "the schemas are made by discover: run the whole job; or grant CREATE SCHEMA ON CATALOG"
	case strings.Contains(c, "DATA_SOURCE_NOT_FOUND") && strings.Contains(strings.ToLower(f.Message), "delta"),
		strings.Contains(f.Message, "io.delta") && strings.Contains(f.Message, "ClassNotFound"):
		return "the cluster has no Delta: use a Databricks runtime, or add Delta 4.0 or newer to this Spark"
	case strings.Contains(f.Message, "NoSuchMethodError"), strings.Contains(f.Message, "NoClassDefFoundError"):
		return "this Spark and its Delta do not fit together: Spark 4.0 wants Delta 4.0"
	case strings.Contains(f.Message, "Permission denied"), strings.Contains(f.Message, "AccessControlException"):
		return "the folder that the message names may not be written by this user: mend its owner or mode"
	case strings.Contains(f.Message, "No space left on device"):
		return "the disk is full: make room, then run the same again; what is landed stays"
	}
	return ""
}
