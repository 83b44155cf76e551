package spark_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine/spark"
	"github.com/bundlegen/bundlegen/internal/localspark"
)

// TestMain gives all tests one real Spark with Delta, and sessions on it behind the
// launcher's own serving code. It starts with the first test that asks for it.
func TestMain(m *testing.M) {
	code := m.Run()
	if lab.close != nil {
		lab.close()
	}
	os.Exit(code)
}

// lab is what the tests share.
var lab struct {
	once     sync.Once
	sessions [4]*spark.Session // side by side on one Spark
	requests [4]io.Writer      // what each writes to
	dir      string
	err      error
	close    func()
}

// session gives the first of the shared sessions, and a folder of the whole run.
func session(t testing.TB) (*spark.Session, string) {
	t.Helper()
	lab.once.Do(func() { lab.dir, lab.close, lab.err = startSessions(context.Background()) })
	if lab.err != nil {
		t.Fatal(lab.err)
	}
	return lab.sessions[0], lab.dir
}

func startSessions(ctx context.Context) (dir string, closing func(), err error) {
	home, err := localspark.Ensure(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp("", "spark-engine-"); err != nil {
		return "", nil, err
	}
	env, err := home.Classic(localspark.Options{Dir: dir, Conf: localspark.Small()})
	if err != nil {
		return dir, nil, err
	}
	launcher, err := filepath.Abs(filepath.Join("..", "..", "..", "templates", "launcher"))
	if err != nil {
		return dir, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "launcher.log"))
	if err != nil {
		return dir, nil, err
	}
	cmd := exec.Command(home.Python(), filepath.Join("testdata", "serve.py"))
	cmd.Env = append(env, "PYTHONPATH="+launcher)
	cmd.Stdout, cmd.Stderr = log, log
	var replies []io.Reader
	var theirs []*os.File
	for i := range lab.requests {
		requests, answers, err := pipes()
		if err != nil {
			return dir, nil, err
		}
		fd := 3 + len(cmd.ExtraFiles)
		cmd.Args = append(cmd.Args, fmt.Sprintf("%d,%d", fd, fd+1))
		theirs = append(theirs, requests.r, answers.w)
		cmd.ExtraFiles = theirs
		lab.requests[i], replies = requests.w, append(replies, answers.r)
	}
	process, err := localspark.Start(cmd)
	for _, f := range theirs {
		_ = f.Close() // the process has its own
	}
	if err != nil {
		return dir, nil, err
	}
	closing = func() {
		process.Stop(10 * time.Second)
		_ = os.RemoveAll(dir)
	}
	for i := range lab.sessions {
		if lab.sessions[i], err = spark.Dial(ctx, replies[i], lab.requests[i]); err != nil {
			text, _ := os.ReadFile(log.Name())
			return dir, closing, fmt.Errorf("%w\n%s", err, text)
		}
	}
	return dir, closing, nil
}

// ends are the two of a pipe.
type ends struct{ r, w *os.File }

// pipes gives one for requests and one for answers.
func pipes() (requests, answers ends, err error) {
	if requests.r, requests.w, err = os.Pipe(); err != nil {
		return requests, answers, err
	}
	answers.r, answers.w, err = os.Pipe()
	return requests, answers, err
}
