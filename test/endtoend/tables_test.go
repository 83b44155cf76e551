package endtoend_test

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/internal/localspark"
)

// tables are where a plant's rows are read from. Queries are in the SQL that
// both engines know, with {micros} for the function that gives a TIMESTAMP's
// microseconds; values come as texts.
type tables interface {
	query(t testing.TB, query string) [][]*string
}

// duckTables are in a data folder, which nobody else has while they are read.
type duckTables struct{ data string }

func (d duckTables) query(t testing.TB, query string) (out [][]*string) {
	l, err := duckdb.Open(t.Context(), d.data, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	rows, err := l.DB().Query(strings.ReplaceAll(query, "{micros}", "epoch_us"))
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		row, dest := make([]*string, len(columns)), make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		require.NoError(t, rows.Scan(dest...))
		out = append(out, row)
	}
	require.NoError(t, rows.Err())
	return out
}

// sparkTables are Delta tables, read by a client of their own.
type sparkTables struct {
	in  io.Writer
	out *bufio.Reader
}

func (s *sparkTables) query(t testing.TB, query string) (out [][]*string) {
	line, err := json.Marshal(strings.ReplaceAll(query, "{micros}", "unix_micros"))
	require.NoError(t, err)
	_, err = s.in.Write(append(line, '\n'))
	require.NoError(t, err)
	answer, err := s.out.ReadBytes('\n')
	require.NoError(t, err, query)
	require.NoError(t, json.Unmarshal(answer, &out))
	return out
}

// onSpark gives a plant a Spark of its own, which lasts from run to run.
func (p *plant) onSpark() {
	server := p.spark(localspark.Options{
		Dir: filepath.Join(p.t.TempDir(), "server"),
		Env: []string{
			"PI_PLANT_A_PASSWORD=correct horse",
			"PYTHONPATH=" + p.launcher(),
			"PI_EXTRACTOR_STAGING=" + filepath.Join(p.dir, "data", "spark", "staging"),
		},
	})
	p.t.Cleanup(server.Close)
	p.engine, p.env = "spark", server.Env()
}

// atRest starts a Spark on the tables that runs with Sparks of their own left,
// to read them. The caller closes it.
func (p *plant) atRest() *localspark.Server {
	return p.spark(localspark.Options{Dir: filepath.Join(p.dir, "data", "spark"), Master: "local[2]"})
}

// spark starts a server for small jobs, from which the plant's tables are then read.
func (p *plant) spark(o localspark.Options) *localspark.Server {
	home, err := localspark.Ensure(p.t.Context(), slog.New(slog.NewTextHandler(p.t.Output(), nil)))
	require.NoError(p.t, err)
	o.Conf = localspark.Small()
	server, err := home.Server(p.t.Context(), o)
	require.NoError(p.t, err)
	p.tables = p.reader(server.Env(), home.Python())
	return server
}

// launcher returns a folder with the wheel's package, for workers that have no wheel installed.
func (p *plant) launcher() string {
	dir := filepath.Join(p.t.TempDir(), "launcher")
	require.NoError(p.t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "templates", "launcher"))))
	binary, err := os.ReadFile(program(p.t, "pi-extractor-linux-amd64"))
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, "pi_extractor", "pi-extractor"), binary, 0o755))
	return dir
}

// reader starts a client that answers queries.
func (p *plant) reader(env []string, python string) *sparkTables {
	cmd := exec.Command(python, filepath.Join("testdata", "query.py"))
	cmd.Env, cmd.Stderr = env, p.t.Output()
	in, err := cmd.StdinPipe()
	require.NoError(p.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it ends with its input; what it said is in the log
	})
	return &sparkTables{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}
