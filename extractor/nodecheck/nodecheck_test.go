package nodecheck

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

// made is what a check writes, and its error.
func made(t *testing.T, stdin string, getenv map[string]string, args ...string) ([]Finding, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), Node{Stdin: strings.NewReader(stdin), Stdout: &out, Getenv: func(name string) (string, bool) {
		v, ok := getenv[name]
		return v, ok
	}}, args)
	var all []Finding
	for lines := json.NewDecoder(&out); lines.More(); {
		var f Finding
		require.NoError(t, lines.Decode(&f))
		all = append(all, f)
	}
	return all, err
}

func TestWhatIsNoCheckIsRefused(t *testing.T) {
	for _, args := range [][]string{nil, {"nothing"}, {"folder"}, {"node", "more"}, {"sites", "a", "b"}, {"reach"}} {
		found, err := made(t, "", nil, args...)
		require.Error(t, err, args)
		require.Contains(t, err.Error(), "hint: ")
		require.Empty(t, found)
	}
}

func TestTheProgramRunsHere(t *testing.T) {
	found, err := made(t, "", nil, "node")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, OK, found[0].State)
	require.NotZero(t, found[0].Figures["processors"])
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "staging")
	found, err := made(t, "", nil, "folder", dir)
	require.NoError(t, err)
	require.Equal(t, OK, found[0].State, found[0].Detail)
	require.Equal(t, "works", found[0].Figures["rename"])
	require.NoDirExists(t, dir)

	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	found, err = made(t, "", nil, "folder", dir)
	require.NoError(t, err, "what is wrong is a finding")
	require.Equal(t, Fail, found[0].State)
	require.Equal(t, "create the folder", found[0].Figures["step"])
}

func TestListed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "part-0.parquet"), []byte("PAR1"), 0o600))
	found, err := made(t, "", nil, "listed", dir)
	require.NoError(t, err)
	require.Equal(t, OK, found[0].State)
	require.EqualValues(t, 1, found[0].Figures["files"])
	require.NoDirExists(t, dir)
}

// A worker reaches what listens on the driver, and not what has ended.
func TestHeartbeat(t *testing.T) {
	in, ours := io.Pipe()
	theirs, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), Node{Stdin: in, Stdout: out}, []string{"heartbeat", "127.0.0.1"})
	}()
	line, err := bufio.NewReader(theirs).ReadBytes('\n')
	require.NoError(t, err)
	var listening Finding
	require.NoError(t, json.Unmarshal(line, &listening))
	found, err := made(t, "", nil, "reach", listening.Subject)
	require.NoError(t, err)
	require.Equal(t, OK, found[0].State, found[0].Detail)

	require.NoError(t, ours.Close())
	require.NoError(t, <-ended)
	found, err = made(t, "", nil, "reach", listening.Subject)
	require.NoError(t, err)
	require.Equal(t, Fail, found[0].State)

	found, err = made(t, "", nil, "heartbeat", "192.0.2.1")
	require.NoError(t, err)
	require.Equal(t, Fail, found[0].State, "no address of this machine")
}

func TestSites(t *testing.T) {
	const password = "correct horse"
	sim := simulator.New(simulator.Options{Tags: 3, Auth: simulator.Auth{Kind: simulator.Basic, User: "svc_pi", Password: password}})
	url, err := sim.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	site := manifest.Site{
		Name: "plant-a", URL: url, Auth: manifest.Auth{Kind: "basic", Username: "svc_pi", PasswordEnv: "PI_PASSWORD"},
		Limits: manifest.Limits{RequestsPerSecond: 10, Connections: 1, ItemsPerCall: 100}, Retry: manifest.Retry{Attempts: 1, TimeoutSeconds: 10},
	}
	away, untrusted := site, site
	away.Name, away.URL = "plant-b", "https://no-such-host.invalid/piwebapi"
	untrusted.Name, untrusted.TLS = "plant-c", manifest.TLS{CAFile: "plant.pem"}
	untrusted.URL = "https://127.0.0.1:1/piwebapi"
	given := manifest.Sites{Version: manifest.SitesVersion, Sites: []manifest.Site{site, away, untrusted}}

	dir := t.TempDir()
	var file bytes.Buffer
	require.NoError(t, manifest.WriteSites(&file, given))
	require.NoError(t, os.WriteFile(filepath.Join(dir, manifest.SitesFile), file.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plant.pem"), []byte("no certificate"), 0o600))
	pack, err := json.Marshal(packed{Sites: given, Files: map[string]string{"plant.pem": "no certificate"}})
	require.NoError(t, err)

	for _, c := range []struct {
		stdin string
		args  []string
	}{{"", []string{"sites", dir}}, {string(pack), []string{"sites"}}} {
		found, err := made(t, c.stdin, map[string]string{"PI_PASSWORD": password}, c.args...)
		require.NoError(t, err)
		require.Len(t, found, 3)
		require.Equal(t, OK, found[0].State, found[0].Detail)
		require.Equal(t, "dns", found[1].Figures["step"], found[1].Detail)
		require.Equal(t, "settings", found[2].Figures["step"], found[2].Detail)

		found, err = made(t, c.stdin, map[string]string{"PI_PASSWORD": "wrong"}, c.args...)
		require.NoError(t, err)
		require.Equal(t, Fail, found[0].State)
		require.Equal(t, "credentials", found[0].Figures["step"])
		for _, f := range found {
			require.NotContains(t, f.Detail, "wrong\"")
		}
	}
}
