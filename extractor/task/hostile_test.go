package task_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/batch"
	"github.com/bundlegen/bundlegen/extractor/engine/duckdb"
	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/extractor/task"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// odd are values that a server may send where another one is expected.
var odd = []string{
	`null`, `""`, `0`, `-1`, `true`, `[]`, `{}`, `1e400`, `9223372036854775808`, `0.5`, `"0001-01-01T00:00:00Z"`, `"1970-01-01T00:00:00Z"`,
	`"1969-12-31T23:59:59.9999999Z"`, `"2001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.9999999Z"`, `"2026-01-01T11:30:00"`,
	`"2026-13-45T99:00:00Z"`, `"NaN"`,
	`"\u0000\u001b[2J\u202e"`, `"../../x"`, `{"Errors":["Calc Failed"]}`, `[{"FieldName":"Value","Message":["No Read Access"]}]`,
	`{"Name":"Shutdown","Value":254,"IsSystem":true}`,
	`{"Errors":["No Read Access - Secure Object"],"StatusCode":403}`, `[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]`,
}

// mangler answers as the simulator does, with one thing changed in each answer of one kind.
type mangler struct {
	server *simulator.Server
	path   string // how the paths of those answers end; "" = none is changed
	how    byte   // what is done
	at     int    // to which of the answer's nodes, or bytes
	with   string
}

func (m *mangler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.path == "" || !strings.HasSuffix(r.URL.Path, m.path) {
		m.server.ServeHTTP(w, r)
		return
	}
	r.Header.Del("Accept-Encoding")
	answer := httptest.NewRecorder()
	m.server.ServeHTTP(answer, r)
	body := m.mangle(answer.Body.Bytes())
	for name, values := range answer.Header() {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

func (m *mangler) mangle(body []byte) []byte {
	if len(body) == 0 {
		return body
	}
	switch m.how % 8 {
	case 0: // cut off
		return body[:m.at%len(body)]
	case 1: // one byte is another
		out := slices.Clone(body)
		out[m.at%len(out)] ^= 1 << (m.how / 8 % 8)
		return out
	}
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return body
	}
	nodes := 0
	count(tree, &nodes)
	left := m.at % max(nodes, 1)
	out, err := json.Marshal(m.change(tree, &left))
	if err != nil {
		return body
	}
	return out
}

// count counts the nodes of a tree of JSON.
func count(tree any, n *int) {
	*n++
	switch v := tree.(type) {
	case map[string]any:
		for _, key := range sorted(v) {
			count(v[key], n)
		}
	case []any:
		for _, x := range v {
			count(x, n)
		}
	}
}

// change changes the node that is left nodes away.
func (m *mangler) change(tree any, left *int) any {
	if *left == 0 {
		*left = -1
		return m.changed(tree)
	}
	*left--
	switch v := tree.(type) {
	case map[string]any:
		for _, key := range sorted(v) {
			if *left < 0 {
				break
			}
			if *left == 0 && m.how%8 == 2 { // left out
				*left = -1
				delete(v, key)
				break
			}
			v[key] = m.change(v[key], left)
		}
	case []any:
		for i := range v {
			if *left < 0 {
				break
			}
			v[i] = m.change(v[i], left)
		}
	}
	return tree
}

func (m *mangler) changed(node any) any {
	switch list, ok := node.([]any); {
	case ok && m.how%8 == 3: // everything twice
		return append(slices.Clone(list), list...)
	case ok && m.how%8 == 4: // the other way round
		list = slices.Clone(list)
		slices.Reverse(list)
		return list
	}
	return json.RawMessage(m.with)
}

func sorted(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// answers are the kinds of them, by the ends of their paths.
var answers = []string{"/dataservers", "/points", "/recorded", "/summary", "/enumerationsets", "/enumerationvalues"}

// FuzzAnswers runs the tasks against a server that answers one odd thing. No
// task panics or hangs; no watermark is outside of what there can be; and once
// the server is well, the next run is.
func FuzzAnswers(f *testing.F) {
	for value := range odd {
		f.Add(byte(value), byte(5), uint16(7*value), byte(value))
	}
	for kind := range answers {
		for how := range 5 {
			f.Add(byte(kind), byte(how), uint16(17), byte(3))
		}
	}
	for at := range 6 { // each part of what a data server reports of itself, its clock among them
		f.Add(byte(0), byte(5), uint16(at), byte(10))
	}
	server := simulator.New(simulator.Options{Tags: 6, Seed: 20261123, Clock: func() instant.Ticks { return instant.FromTime(time.Now()) }})
	f.Fuzz(func(t *testing.T, kind, how byte, at uint16, value byte) {
		m := &mangler{server: server, path: answers[int(kind)%len(answers)], how: how, at: int(at), with: odd[int(value)%len(odd)]}
		site := httptest.NewServer(m)
		defer site.Close()
		p := &plant{t: t, server: server, bundle: t.TempDir(), data: t.TempDir()}
		var err error
		p.lake, err = duckdb.Open(t.Context(), p.data, "")
		require.NoError(t, err)
		defer func() { require.NoError(t, p.lake.Close()) }()
		p.params = manifest.Parameters{Pipeline: "plant", Catalog: "main", Bundle: p.bundle, Tier: "standard", Attempt: 1, Site: "plant-a",
			MaxWindow: 2000,
			Limits:    manifest.Limits{RequestsPerSecond: 1000, Connections: 5, ItemsPerCall: 2000}, FailAbove: 0.1, TagsPerShard: 25, Backfill: 600}
		p.generate(manifest.Site{Name: "plant-a", URL: site.URL + simulator.Root, Auth: manifest.Auth{Kind: "anonymous"},
			Limits: manifest.Limits{RequestsPerSecond: 1000, Connections: 5, ItemsPerCall: 5000},
			Retry:  manifest.Retry{Attempts: 2, BackoffSeconds: 0.001, TimeoutSeconds: 5}})
		p.job("run-1")
		p.job("run-2") // what the first has left behind does no more harm either
		m.path = ""
		results := p.job("run-3")
		for i, r := range results {
			require.NoError(t, r.err, "task %d of the run after the server was well again", i)
			require.Equal(t, batch.Succeeded, r.Status)
		}
	})
}

type ended struct {
	task.Result
	err error
}

// job runs the tasks of a job up to now, and looks at the watermarks.
func (p *plant) job(runID string) []ended {
	p.params.RunID, p.params.UntilMillis = runID, time.Now().UnixMilli()
	var out []ended
	for _, name := range []string{manifest.TaskDiscover, manifest.TaskExtract, manifest.TaskConsolidate, manifest.TaskValidate} {
		r, err := p.run(name, nil)
		out = append(out, ended{r, err})
	}
	var tables int
	require.NoError(p.t, p.lake.DB().QueryRow("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'tag_watermarks'").Scan(&tables))
	if tables > 0 {
		var outside int
		require.NoError(p.t, p.lake.DB().QueryRow("SELECT count(*) FROM checkpoints.tag_watermarks WHERE watermark_ticks < 0 OR "+
			"watermark_ticks > ?",
			int64(instant.FromTime(time.Now())+24*instant.Hour)).Scan(&outside))
		require.Zero(p.t, outside, "watermarks before 1970 or after tomorrow")
	}
	return out
}
