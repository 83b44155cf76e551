package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary be the program itself.
const asProgram = "PI_SIMULATOR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start runs the program and returns its ready line.
func start(t *testing.T, env []string, args ...string) (*exec.Cmd, ready) {
	t.Helper()
	program := exec.Command(os.Args[0], append([]string{"serve"}, args...)...)
	program.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	program.Stderr = os.Stderr
	out, err := program.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())
	t.Cleanup(func() { _ = program.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var r ready
	require.NoError(t, json.Unmarshal([]byte(line), &r))
	return program, r
}

func TestServeWithTLSAndBasicAuthEndsCleanlyOnSignals(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		program, r := start(t, []string{"SIM_PASSWORD=s3cret"}, "--tags", "12", "--tls", "--auth", "basic", "--password-env", "SIM_PASSWORD")
		require.Equal(t, "s3cret", r.Password)
		require.Equal(t, "pi-reader", r.Username)
		require.Equal(t, 12, r.Tags)
		pem, err := os.ReadFile(r.CAFile)
		require.NoError(t, err)
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		request, err := http.NewRequest(http.MethodGet, r.URL+"/dataservers", nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		request.SetBasicAuth(r.Username, r.Password)
		response, err = client.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Contains(t, string(body), `"Name":"PISRV1"`)
		client.CloseIdleConnections()

		require.NoError(t, program.Process.Signal(signal))
		require.NoError(t, program.Wait(), "exit code 0")
		require.NoFileExists(t, r.CAFile)
	}
}

func TestCredentialsAreMadeUp(t *testing.T) {
	one, first := start(t, nil, "--auth", "bearer")
	two, second := start(t, nil, "--auth", "bearer")
	require.NotEmpty(t, first.Token)
	require.NotEqual(t, first.Token, second.Token)
	for _, program := range []*exec.Cmd{one, two} {
		require.NoError(t, program.Process.Signal(os.Interrupt))
		require.NoError(t, program.Wait())
	}
}

// call runs the program in process.
func call(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, append([]string{"pi-simulator"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestOracleCountsAreItsEvents(t *testing.T) {
	flags := []string{"--tags", "60", "--seed", "4", "--after", "2026-01-01T00:00:00Z", "--until", "2026-01-01T03:30:00Z"}
	code, out, _ := call(t.Context(), append([]string{"oracle", "--counts"}, flags...)...)
	require.Zero(t, code)
	counts, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, counts, 61)
	code, out, _ = call(t.Context(), append([]string{"oracle"}, flags...)...)
	require.Zero(t, code)
	events, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	byTag := map[string]int{}
	for _, e := range events[1:] {
		byTag[e[0]]++
	}
	total := 0
	for _, c := range counts[1:] {
		n := byTag[c[0]]
		require.Equal(t, c[3], strconv.Itoa(n), c[0])
		total += n
	}
	require.Equal(t, len(events)-1, total)

	code, out, _ = call(t.Context(), append([]string{"oracle", "--counts", "--tag", counts[5][0]}, flags...)...)
	require.Zero(t, code)
	require.Equal(t, 2, strings.Count(out, "\n"))
}

func TestCancelledOracle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := call(ctx, "oracle", "--after", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z")
	require.Equal(t, exitCancelled, code)
	require.Empty(t, stderr)
}

func TestBadUse(t *testing.T) {
	oracle := []string{"oracle", "--after", "2026-01-01T00:00:00Z", "--until", "2026-01-01T01:00:00Z"}
	for _, c := range []struct {
		says string
		args []string
	}{
		{`no command is called "srve"`, []string{"srve"}},
		{"there is no flag --bogus\nhint: pi-simulator serve --help lists all", []string{"serve", "--bogus"}},
		{`takes no argument, and "now" is one`, []string{"serve", "now"}},
		{`there is no quirk "nope"; allowed: silent-truncation`, []string{"serve", "--quirk", "nope"}},
		{`--no-quirk: there is no quirk ""`, []string{"serve", "--no-quirk", ""}},
		{`there is no point type "Float8"; allowed: [Float16 Float32`, []string{"serve", "--point-type", "Float8=1"}},
		{`"many" is not a weight; allowed: 0 to 1000`, []string{"serve", "--point-type", "Float32=many"}},
		{"--tags may not be negative", []string{"serve", "--tags", "-1"}},
		{"--latency may not be negative", []string{"serve", "--latency", "-1s"}},
		{`"0/1s" is not a rate such as 1000 or 1000/1s`, []string{"serve", "--rate-limit", "0/1s"}},
		{`"5/soon" is not a rate such as 1000 or 1000/1s`, []string{"serve", "--rate-limit", "5/soon"}},
		{`"rain" is not a fault; allowed: 401, 429, cut, endless, endless-points, endless-texts, hang, html, huge-page, web-exception`, []string{"serve", "--fault", "rain"}},
		{`"0" is not a whole number of at least 1`, []string{"serve", "--fault", "html=0"}},
		{`"ntlm" is not known; allowed: anonymous, basic, bearer`, []string{"serve", "--auth", "ntlm"}},
		{"the environment variable SIM_UNSET is not set\nhint: export SIM_UNSET first", []string{"serve", "--auth", "basic", "--password-env", "SIM_UNSET"}},
		{"--token-env is of no use with --auth basic", []string{"serve", "--auth", "basic", "--token-env", "X"}},
		{"--ca-file is of no use without --tls", []string{"serve", "--ca-file", "x.pem"}},
		{"hint: --addr is HOST:PORT", []string{"serve", "--addr", "nowhere"}},
		{"--uniform and --events-per-hour cannot be combined", []string{"serve", "--uniform", "1s", "--events-per-hour", "3"}},
		{"not a whole number of milliseconds", []string{"serve", "--uniform", "1500us"}},
		{`there is no web id type "Short"`, []string{"serve", "--web-id-type", "Short"}},
		{`--now: "noon" is not an instant`, []string{"serve", "--now", "noon"}},
		{"--after is missing", []string{"oracle"}},
		{`--after: "yesterday" is not an instant`, []string{"oracle", "--after", "yesterday", "--until", "2026-01-01T00:00:00Z"}},
		{"is before --after", []string{"oracle", "--after", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"}},
		{`there is no tag "x"`, append(oracle, "--tag", "x")},
	} {
		code, stdout, stderr := call(t.Context(), c.args...)
		require.Equal(t, exitError, code, "%v", c.args)
		require.Contains(t, stderr, c.says, "%v", c.args)
		require.NotContains(t, stdout, "url", "%v", c.args)
	}
}

func TestHelpAndQuirks(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"oracle", "--help"}} {
		code, out, _ := call(t.Context(), args...)
		require.Zero(t, code)
		require.Contains(t, out, "Exit codes: 0")
	}
	code, out, _ := call(t.Context(), "quirks")
	require.Zero(t, code)
	require.Contains(t, out, "csrf-defense               on ")
	code, out, _ = call(t.Context(), "--version")
	require.Zero(t, code)
	require.Contains(t, out, "pi-simulator version ")
}
