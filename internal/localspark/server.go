package localspark

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bundlegen/bundlegen/internal/diag"
)

const (
	startTimeout = 3 * time.Minute // on a busy machine
	stopGrace    = 5 * time.Second
	tokenName    = "SPARK_CONNECT_AUTHENTICATE_TOKEN"
)

// Server is a Spark Connect server of this process. It listens on this machine's
// loopback only, requires its token, and dies with this process, however that ends. Its
// methods are safe for concurrent use.
type Server struct {
	home    *Installation
	options Options
	process *Process
	token   string
	port    string
	closing sync.Once
}

// Server starts a server and returns when it answers, some 10 s later. The first statement
// waits a few seconds more for the executors. ctx ends only the start; after that, Close
// ends the server.
func (i *Installation) Server(ctx context.Context, o Options) (*Server, error) {
	s := &Server{home: i, token: rand.Text()}
	err := i.prepare(&o, fmt.Sprintf("local-cluster[%d,1,1024]", Executors), map[string]string{
		"spark.connect.grpc.binding.address": "127.0.0.1",
		"spark.connect.grpc.binding.port":    "0", // any that is free
	})
	if err != nil {
		return nil, err
	}
	s.options = o
	if s.process, err = s.start(); err != nil {
		return nil, fmt.Errorf("start Spark: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, diag.WithHint(fmt.Errorf("the server did not answer within %s", startTimeout),
		"see %s", s.logFile()))
	defer cancel()
	if err := s.await(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// start starts the JVM by Spark's own script, which execs it.
func (s *Server) start() (*Process, error) {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(filepath.Join(s.options.home(), "bin", "spark-submit"),
		"--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--name", "bundlegen", "spark-internal")
	cmd.Dir = s.options.temp()
	cmd.Env = append(s.home.environment(s.options.home(), s.options.python(s.home)),
		append([]string{"SPARK_CONF_DIR=" + s.options.conf(), "TMPDIR=" + s.options.temp(), tokenName + "=" + s.token}, s.options.Env...)...)
	cmd.Stdout, cmd.Stderr = log, log
	return Start(cmd)
}

// listening matches the log line with the server's address.
var listening = regexp.MustCompile(`Spark Connect server started at: \S*:(\d+)\s*\n`)

// await waits for the server's port and for an answer from it.
func (s *Server) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(s.logFile())
		if err != nil {
			return err
		}
		if m := listening.FindSubmatch(text); m != nil {
			s.port = string(m[1])
			if answers("127.0.0.1:" + s.port) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.process.Done():
			return s.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answers reports whether an HTTP/2 server at an address answers the handshake.
func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	emptySettings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if conn.SetDeadline(time.Now().Add(5*time.Second)) != nil {
		return false
	}
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+emptySettings); err != nil {
		return false
	}
	frame := make([]byte, len(emptySettings))
	_, err = io.ReadFull(conn, frame)
	return err == nil && frame[3] == emptySettings[3]
}

// Remote returns the address for SPARK_REMOTE. It requires the token, which is in Env.
func (s *Server) Remote() string { return "sc://localhost:" + s.port }

// Env returns the whole environment of a client process: this process's own without
// misleading variables, and the server's address. The client's temporary folder is removed
// with the server.
func (s *Server) Env() []string {
	return append(s.home.environment(s.options.home(), s.options.python(s.home)), "SPARK_REMOTE="+s.Remote(), tokenName+"="+s.token,
		"TMPDIR="+s.options.temp())
}

// Pid returns the id of the server's process.
func (s *Server) Pid() int { return s.process.Pid() }

// logFile returns the path of the log of the server and its executors.
func (s *Server) logFile() string { return filepath.Join(s.options.Dir, "spark.log") }

// Done is closed when the server's process has ended, by Close or by itself.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err returns how the server ended, with the last trouble in its log; valid once Done is
// closed.
func (s *Server) Err() error {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		text = nil
	}
	msg := "Spark ended (" + s.process.State().String() + ")"
	if said := lastTrouble(string(text)); said != "" {
		msg += ": " + said
	}
	return diag.WithHint(errors.New(msg), "see %s", s.logFile())
}

// lastTrouble finds the innermost cause in a Java log.
func lastTrouble(text string) string {
	var found string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if cause, ok := strings.CutPrefix(line, "Caused by: "); ok {
			found = cause
		} else if strings.HasPrefix(line, "Exception in thread") || strings.HasPrefix(line, "Error: ") || strings.Contains(line, " ERROR ") {
			found = line
		}
	}
	if r := []rune(found); len(r) > 300 {
		found = string(r[:300]) + "…"
	}
	return found
}

// Close ends the server and its executors and removes the session's temporary files.
// Tables, metastore and log stay.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.process.Stop(stopGrace)
		s.options.clean()
	})
	<-s.process.Done()
}
