package spark_test

import (
	"context"
	"fmt"
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

// TestMain gives all tests one session of real Spark and Delta, behind the
// launcher's own serving code. It starts with the first test that asks for it.
func TestMain(m *testing.M) {
	code := m.Run()
	if lab.close != nil {
		lab.close()
	}
	os.Exit(code)
}

// lab is the session that the tests share.
var lab struct {
	once    sync.Once
	session *spark.Session
	dir     string
	err     error
	close   func()
}

// session gives the shared session, and a folder of the whole run.
func session(t testing.TB) (*spark.Session, string) {
	t.Helper()
	lab.once.Do(func() { lab.session, lab.dir, lab.close, lab.err = startSession(context.Background()) })
	if lab.err != nil {
		t.Fatal(lab.err)
	}
	return lab.session, lab.dir
}

func startSession(ctx context.Context) (s *spark.Session, dir string, closing func(), err error) {
	home, err := localspark.Ensure(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return nil, "", nil, err
	}
	if dir, err = os.MkdirTemp("", "spark-engine-"); err != nil {
		return nil, "", nil, err
	}
	env, err := home.Classic(localspark.Options{Dir: dir, Conf: localspark.Small()})
	if err != nil {
		return nil, dir, nil, err
	}
	launcher, err := filepath.Abs(filepath.Join("..", "..", "..", "templates", "launcher"))
	if err != nil {
		return nil, dir, nil, err
	}
	theirAnswers, answers, err := pipes()
	if err != nil {
		return nil, dir, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "launcher.log"))
	if err != nil {
		return nil, dir, nil, err
	}
	cmd := exec.Command(home.Python(), filepath.Join("testdata", "serve.py"), "3", "4")
	cmd.Env = append(env, "PYTHONPATH="+launcher)
	cmd.ExtraFiles = []*os.File{answers.w, theirAnswers.r}
	cmd.Stdout, cmd.Stderr = log, log
	process, err := localspark.Start(cmd)
	if err != nil {
		return nil, dir, nil, err
	}
	_, _ = answers.w.Close(), theirAnswers.r.Close() // the process has its own
	closing = func() {
		_ = theirAnswers.w.Close()
		process.Stop(10 * time.Second)
		_ = os.RemoveAll(dir)
	}
	if s, err = spark.Dial(ctx, answers.r, theirAnswers.w); err != nil {
		text, _ := os.ReadFile(log.Name())
		err = fmt.Errorf("%w\n%s", err, text)
	}
	return s, dir, closing, err
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
