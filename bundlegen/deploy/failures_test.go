package deploy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/databricks/cli/libs/testserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUsersErrors(t *testing.T) {
	t.Run("no host", func(t *testing.T) {
		environment(t, "", "dapi0")
		err := CLI{}.Validate(t.Context(), small(t), "prod")
		require.ErrorContains(t, err, "DATABRICKS_HOST")
		require.ErrorContains(t, err, "targets.prod.host")
	})
	t.Run("no bundle", func(t *testing.T) {
		newFake(t)
		err := CLI{}.Validate(t.Context(), t.TempDir(), "prod")
		require.ErrorContains(t, err, "databricks.yml")
		require.ErrorContains(t, err, "hint: run `bundlegen generate`")
	})
	t.Run("unknown target", func(t *testing.T) {
		newFake(t)
		err := CLI{}.Validate(t.Context(), small(t), "staging")
		require.ErrorContains(t, err, "staging")
		require.ErrorContains(t, err, "hint: `-t` takes a key of `targets`")
	})
	t.Run("no credentials", func(t *testing.T) {
		f := newFake(t)
		require.NoError(t, os.Unsetenv("DATABRICKS_TOKEN"))
		t.Setenv("PATH", "") // no databricks, az or gcloud to ask
		err := CLI{}.Validate(t.Context(), small(t), "prod")
		require.ErrorContains(t, err, "hint: set DATABRICKS_TOKEN")
		require.ErrorContains(t, err, "databricks auth login --host "+f.URL)
	})
	t.Run("wrong token", func(t *testing.T) {
		f := newFake(t)
		f.fault(
			t,
			"GET /api/2.0/preview/scim/v2/Me",
			401,
			`{"error_code": "401", "message": "Credential was not sent or was of an unsupported type: `+f.token+`"}`,
		)
		err := CLI{}.Validate(t.Context(), small(t), "prod")
		require.ErrorContains(t, err, "Credential was not sent")
		require.ErrorContains(t, err, "hint: the credentials are not valid for "+f.URL)
		assert.NotContains(t, err.Error(), f.token)
	})
	t.Run("unknown profile", func(t *testing.T) {
		f := newFake(t)
		t.Setenv("DATABRICKS_CONFIG_PROFILE", "nope")
		require.NoError(t, os.WriteFile(os.Getenv("DATABRICKS_CONFIG_FILE"), []byte("[DEFAULT]\nhost = "+f.URL+"\ntoken = "+f.token+"\n"), 0o600))
		for _, err := range []error{CLI{}.Validate(t.Context(), small(t), "prod"), CLI{}.Deploy(t.Context(), small(t), "prod", true, nil)} {
			require.ErrorContains(t, err, "has no nope profile configured")
			require.ErrorContains(t, err, "hint: DATABRICKS_CONFIG_PROFILE names a profile that is not in that file")
		}
	})
	t.Run("two kinds of credentials", func(t *testing.T) {
		newFake(t)
		t.Setenv("DATABRICKS_CLIENT_ID", "id")
		t.Setenv("DATABRICKS_CLIENT_SECRET", "a-client-secret")
		err := CLI{}.Validate(t.Context(), small(t), "prod")
		require.ErrorContains(t, err, "more than one authorization method configured")
		require.ErrorContains(t, err, "hint: unset the variables of all but one")
		assert.NotContains(t, err.Error(), "a-client-secret")
		t.Setenv("DATABRICKS_AUTH_TYPE", "pat")
		require.NoError(t, CLI{}.Validate(t.Context(), small(t), "prod"))
	})
	t.Run("a kind of credentials that there is not", func(t *testing.T) {
		newFake(t)
		t.Setenv("DATABRICKS_AUTH_TYPE", "papyrus")
		err := CLI{}.Validate(t.Context(), small(t), "prod")
		require.ErrorContains(t, err, "papyrus")
		require.NotContains(t, err.Error(), "correct pipeline.yml")
	})
	t.Run("the workspace's own failure", func(t *testing.T) {
		f := newFake(t)
		f.fault(t, "GET /api/2.0/preview/scim/v2/Me", 501, `{"error_code": "INTERNAL_ERROR", "message": "out of order"}`)
		err := CLI{}.Validate(t.Context(), small(t), "prod")
		require.ErrorContains(t, err, "out of order")
		require.NotContains(t, err.Error(), "correct pipeline.yml")
	})
	t.Run("no wheel", func(t *testing.T) {
		newFake(t)
		dir := small(t)
		require.NoError(t, os.RemoveAll(dir+"/dist"))
		err := CLI{}.Deploy(t.Context(), dir, "prod", true, nil)
		require.ErrorContains(t, err, "hint: the wheel is not committed")
	})
	t.Run("unknown job", func(t *testing.T) {
		newFake(t)
		_, err := CLI{}.Run(t.Context(), small(t), "prod", "nightly", nil)
		require.ErrorContains(t, err, `no job "nightly"`)
		require.ErrorContains(t, err, "hint: it has small_orchestrator")
	})
	t.Run("job not deployed", func(t *testing.T) {
		newFake(t)
		_, err := CLI{}.Run(t.Context(), small(t), "prod", "small_orchestrator", nil)
		require.ErrorContains(t, err, "hint: run `bundlegen deploy -t prod` first")
	})
}

func TestFailedDeploymentIsRepairedByTheNext(t *testing.T) {
	f := newFake(t)
	dir := small(t)
	var stderr bytes.Buffer
	c := CLI{Stderr: &stderr}
	f.fault(t, "POST /api/2.2/jobs/create", 500, `{"error_code": "INTERNAL_ERROR", "message": "the jobs service broke `+f.token+`"}`)

	err := c.Deploy(t.Context(), dir, "prod", true, nil)
	require.ErrorContains(t, err, "small_orchestrator")
	require.ErrorContains(t, err, "the jobs service broke")
	require.ErrorContains(t, err, "hint: remove the cause and run the same command again")
	assert.NotContains(t, err.Error()+stderr.String(), f.token)
	assert.NotContains(t, stderr.String(), "the jobs service broke", "what the error holds is not printed as well")

	require.NoError(t, c.Deploy(t.Context(), dir, "prod", true, nil))
	changes, err := c.Plan(t.Context(), dir, "prod")
	require.NoError(t, err)
	assert.False(t, changes.Any(), changes.String())
}

func TestDeploymentLockOfAnother(t *testing.T) {
	f := newFake(t)
	dir := small(t)
	const lock = "/Workspace/Users/tester@databricks.com/.bundle/small/prod/state/deploy.lock"
	f.put(t, lock, `{"ID": "11111111-2222-3333-4444-555555555555", "AcquisitionTime": "2025-01-02T03:04:05Z", "User": "somebody@example.com"}`)
	err := CLI{}.Deploy(t.Context(), dir, "prod", true, nil)
	assert.Equal(t, 1, strings.Count(err.Error(), "somebody@example.com"), err.Error())
	require.ErrorContains(t, err, "hint: wait until the other deployment has ended")
	require.ErrorContains(t, err, "`databricks bundle deploy -t prod --force-lock` once in "+dir)
	err = CLI{}.Destroy(t.Context(), dir, "prod", true)
	require.ErrorContains(t, err, "`databricks bundle destroy -t prod --force-lock` once in "+dir)
}

// TestFoldersThatTheCLITakesForPatterns: pipeline.yml is not at fault.
func TestFoldersThatTheCLITakesForPatterns(t *testing.T) {
	newFake(t)
	for name, says := range map[string]string{"a[b]c": "one of * ? [ ]", "a*b": "one of * ? [ ]", "why?": "one of * ? [ ]", `a\b`: "a backslash"} {
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/small")))
		wheel(t, dir)
		for _, verb := range []func() error{
			func() error { return CLI{}.Validate(t.Context(), dir, "prod") },
			func() error { return CLI{}.Deploy(t.Context(), dir, "prod", true, nil) },
		} {
			err := verb()
			require.ErrorContains(t, err, "hint: the CLI works in no folder whose path has "+says)
			require.ErrorContains(t, err, "the bundle is in "+dir)
			require.NotContains(t, err.Error(), "correct pipeline.yml")
		}
	}
	for _, name := range []string{"a b", "a{b}", "a#b", "ä"} {
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/small")))
		wheel(t, dir)
		require.NoError(t, CLI{}.Validate(t.Context(), dir, "prod"))
	}
}

// soon is a context for what ends by itself long before, if it keeps to the time that
// it is given and not to a default: then the error says so, else it is this context's.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestUnreachableWorkspace(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host := "http://" + listener.Addr().String()

	t.Run("silent from the start", func(t *testing.T) { // accepts, never answers
		environment(t, host, "dapi0")
		err := CLI{Hello: 300 * time.Millisecond}.Validate(soon(t), small(t), "prod")
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorContains(t, err, host)
		require.ErrorContains(t, err, "hint: check the network")
	})
	t.Run("cancelled", func(t *testing.T) {
		environment(t, host, "dapi0")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, CLI{Hello: time.Hour}.Validate(ctx, small(t), "prod"), context.DeadlineExceeded)
	})
	require.NoError(t, listener.Close())
	t.Run("refuses", func(t *testing.T) {
		environment(t, host, "dapi0")
		err := CLI{Hello: 2 * time.Second}.Validate(soon(t), small(t), "prod")
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorContains(t, err, "refused")
	})
	t.Run("TLS that is not trusted", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		environment(t, server.URL, "dapi0")
		err := CLI{Hello: 2 * time.Second}.Validate(soon(t), small(t), "prod")
		require.ErrorContains(t, err, "certificate")
		require.ErrorContains(t, err, "hint: set SSL_CERT_FILE")
	})
}

// A workspace that answers once and falls silent ends every verb, also while the
// SDK gets an OAuth token, which it does without the verb's context.
func TestWorkspaceFallsSilent(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/databricks-config":
			_, _ = w.Write([]byte(`{"oidc_endpoint": "http://` + r.Host + `/oidc"}`))
		case "/oidc/.well-known/oauth-authorization-server":
			_, _ = w.Write([]byte(`{"authorization_endpoint": "http://` + r.Host + `/authorize", "token_endpoint": "http://` + r.Host + `/token"}`))
		default:
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}
	}))
	defer server.Close()
	defer close(stop)

	for name, set := range map[string]func(t *testing.T){
		"with a token": func(t *testing.T) { environment(t, server.URL, "dapi0") },
		"with OAuth": func(t *testing.T) {
			environment(t, server.URL, "")
			t.Setenv("DATABRICKS_CLIENT_ID", "id")
			t.Setenv("DATABRICKS_CLIENT_SECRET", "a-client-secret")
		},
	} {
		t.Run(name, func(t *testing.T) {
			set(t)
			dir := small(t)
			err := CLI{Patience: 300 * time.Millisecond}.Deploy(soon(t), dir, "prod", true, nil)
			require.ErrorIs(t, err, ErrNoAnswer)
			require.ErrorContains(t, err, "for 300ms")
			assert.NotContains(t, err.Error(), "a-client-secret")
		})
	}
}

// rawWorkspace serves each connection by hand: answer writes to it.
func rawWorkspace(t *testing.T, answer func(c net.Conn, request *http.Request)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				request, err := http.ReadRequest(bufio.NewReader(c))
				if err == nil {
					answer(c, request)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// A workspace that answers, but never in full, or with what is no answer, ends
// every verb within the time that silence does.
func TestWorkspaceThatNeverAnswersInFull(t *testing.T) {
	head := func(more string) string {
		return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n" + more + "\r\n"
	}
	drip := func(c net.Conn, text string) {
		for i := range len(text) {
			if _, err := c.Write([]byte(text[i : i+1])); err != nil {
				return
			}
			time.Sleep(30 * time.Millisecond)
		}
	}
	for name, c := range map[string]struct {
		answer func(c net.Conn, r *http.Request)
		says   string
	}{
		"a byte at a time": {func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, head(fmt.Sprintf("Content-Length: %d\r\n", 1000)))
			drip(c, strings.Repeat(" ", 1000))
		}, "but answers at less than 1024 bytes a second"},
		"a head at a byte at a time": {func(c net.Conn, _ *http.Request) {
			drip(c, head("X-Pad: "+strings.Repeat("x", 1000)+"\r\n"))
		}, "but answers at less than 1024 bytes a second"},
		"short answers, each at a byte at a time": {func(c net.Conn, _ *http.Request) {
			const me = `{"userName": "t@d.c"}`
			fmt.Fprint(c, head(fmt.Sprintf("Content-Length: %d\r\n", len(me))))
			drip(c, me)
		}, "but answers at less than 1024 bytes a second"},
		"429 for ever": {func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}, "but 429 Too Many Requests"},
		"429, and much patience": {func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}, "but 429 Too Many Requests"},
		"503 for ever": {func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}, "but 503 Service Unavailable"},
		"without end": {func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, head("")+`{"userName": "`)
			for block := bytes.Repeat([]byte("x"), 1<<20); ; {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		}, "the workspace's answer has no end: it is larger than 64 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			host := rawWorkspace(t, func(conn net.Conn, r *http.Request) {
				if r.URL.Path == "/.well-known/databricks-config" {
					fmt.Fprint(conn, head("Content-Length: 2\r\n")+"{}")
					return
				}
				c.answer(conn, r)
			})
			environment(t, host, "dapi0")
			err := CLI{Patience: time.Second}.Validate(soon(t), small(t), "prod")
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "hint: ")
		})
	}
}

// The defaults keep the promise that a command ends within 120 s.
func TestPatienceIsBounded(t *testing.T) {
	assert.LessOrEqual(t, DefaultHello+DefaultPatience+releaseTimeout, 120*time.Second)
}

// A deployment that is cancelled in the middle leaves no lock behind, and the
// next one finishes its work.
func TestCancelledDeployment(t *testing.T) {
	creating := make(chan struct{})
	block := true
	f := newFake(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.2/jobs/create", func(r testserver.Request) any {
			if block {
				close(creating)
				<-r.Context.Done()
				return nil
			}
			return r.Workspace.JobsCreate(r)
		})
	})
	dir := small(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-creating
		cancel()
	}()
	require.ErrorIs(t, CLI{Patience: time.Hour}.Deploy(ctx, dir, "prod", true, nil), context.Canceled)

	block = false
	f.forget()
	require.NoError(t, CLI{}.Deploy(t.Context(), dir, "prod", true, nil))
	assert.Len(t, f.sent("POST", "/api/2.2/jobs/create"), 1)
}
