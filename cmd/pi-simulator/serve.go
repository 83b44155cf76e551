package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "serves a simulated server until SIGINT or SIGTERM",
		Description: "Prints one line of JSON when it is ready: url, auth, username and password or\n" +
			"token, ca_file (with --tls), tags, data_server. Credentials are made up unless\n" +
			"they come from environment variables. With --stats, a second line at the end\n" +
			"counts the requests. Exit codes: 0 ended by a signal, 1 error.",
		Flags: append(archiveFlags(),
			&cli.StringFlag{Name: "addr", Value: "127.0.0.1:0", Usage: "`HOST:PORT` to listen on; port 0 is any free one"},
			&cli.DurationFlag{Name: "latency", Usage: "delay of each call, such as 910ms"},
			&cli.DurationFlag{Name: "tag-latency", Usage: "added delay for each tag that a call reads, such as 50ms"},
			&cli.IntFlag{Name: "threads", Usage: "calls served at once; more are queued; 0 is no limit"},
			&cli.StringFlag{Name: "rate-limit", Usage: "`N[/DURATION]` requests allowed to a client, such as 1000/1s; default is no limit"},
			&cli.StringSliceFlag{Name: "fault", Usage: "`KIND[=N]` fails every N-th request, or each one: 429, html; " +
				"of those that read streams: 401, cut, endless, endless-texts, hang, web-exception; of those for points: endless-points, huge-page"},
			&cli.StringSliceFlag{Name: "tag-fault", Usage: "`TAG=KIND` fails each read of a tag: " + strings.Join(simulator.TagFaults(), ", ")},
			&cli.StringFlag{Name: "server-time", Usage: "the `INSTANT` that the data server reports as its time, independent of --now"},
			&cli.IntFlag{Name: "max-items", Value: 150_000, Usage: "most items returned by a call (MaxReturnedItemsPerCall)"},
			&cli.IntFlag{Name: "max-url", Value: 16 << 10, Usage: "longest URL accepted, in bytes"},
			&cli.StringFlag{Name: "auth", Value: "anonymous", Usage: "anonymous, basic or bearer"},
			&cli.StringFlag{Name: "username-env", Usage: "`NAME` of the environment variable with the user name, for basic"},
			&cli.StringFlag{Name: "password-env", Usage: "`NAME` of the environment variable with the password, for basic"},
			&cli.StringFlag{Name: "token-env", Usage: "`NAME` of the environment variable with the token, for bearer"},
			&cli.BoolFlag{Name: "stats", Usage: "print a line of JSON at the end: requests, by_endpoint, by_status, events, max_concurrent, " +
				"max_per_second"},
			&cli.BoolFlag{Name: "tls", Usage: "serve https with a certificate of a CA made for this run"},
			&cli.StringFlag{Name: "ca-file", Usage: "write that CA's certificate to this `FILE`; default is a temporary file, removed at the end"},
		),
		Action: serve,
	}
}

// ready is the line that serve prints. Fields are only ever added.
type ready struct {
	URL        string `json:"url"`
	Auth       string `json:"auth"`
	Username   string `json:"username,omitempty"`
	Password   string `json:"password,omitempty"`
	Token      string `json:"token,omitempty"`
	CAFile     string `json:"ca_file,omitempty"`
	Tags       int    `json:"tags"`
	DataServer string `json:"data_server"`
}

// counted is the line that serve prints at its end with --stats. Fields are only ever added.
type counted struct {
	Requests      int64            `json:"requests"`
	ByEndpoint    map[string]int64 `json:"by_endpoint"` // parts of batches included
	ByStatus      map[int]int64    `json:"by_status"`
	Events        int64            `json:"events"` // that were sent
	MaxConcurrent int              `json:"max_concurrent"`
	MaxPerSecond  int              `json:"max_per_second"` // requests in any second
}

func serve(c *cli.Context) (err error) {
	o, err := serveOptions(c)
	if err != nil {
		return badFlag(c, err)
	}
	s := simulator.New(o)
	if err := failTags(s, c.StringSlice("tag-fault")); err != nil {
		return badFlag(c, fmt.Errorf("--tag-fault: %w", err))
	}
	url, err := s.Start(c.String("addr"))
	if err != nil {
		return diag.WithHint(err, "--addr is HOST:PORT, such as 127.0.0.1:0 for any free port")
	}
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	line := ready{URL: url, Auth: string(o.Auth.Kind), Username: o.Auth.User, Password: o.Auth.Password, Token: o.Auth.Token,
		Tags: o.Tags, DataServer: o.DataServer}
	if o.TLS {
		file, remove, err := writeCA(c.String("ca-file"), s.CA())
		if err != nil {
			return err
		}
		defer remove()
		line.CAFile = file
	}
	if err := json.NewEncoder(c.App.Writer).Encode(line); err != nil {
		return err
	}
	<-c.Context.Done()
	if !c.Bool("stats") {
		return nil
	}
	n := s.Stats()
	return json.NewEncoder(c.App.Writer).Encode(counted{n.Requests, n.ByEndpoint, n.ByStatus, n.Events, n.MaxConcurrent, n.MaxPerSecond})
}

// serveOptions reads the flags of serve.
func serveOptions(c *cli.Context) (simulator.Options, error) {
	o, err := archiveOptions(c)
	if err != nil {
		return o, err
	}
	o.Latency, o.TagLatency, o.Threads = c.Duration("latency"), c.Duration("tag-latency"), c.Int("threads")
	o.MaxItemsPerCall, o.MaxURL, o.TLS = c.Int("max-items"), c.Int("max-url"), c.Bool("tls")
	for name, negative := range map[string]bool{
		"latency": o.Latency < 0, "tag-latency": o.TagLatency < 0, "threads": o.Threads < 0,
		"max-items": o.MaxItemsPerCall < 0, "max-url": o.MaxURL < 0,
	} {
		if negative {
			return o, fmt.Errorf("--%s may not be negative", name)
		}
	}
	if o.RateLimit, err = rateLimit(c.String("rate-limit")); err != nil {
		return o, fmt.Errorf("--rate-limit: %w", err)
	}
	if o.Faults, err = faults(c.StringSlice("fault")); err != nil {
		return o, fmt.Errorf("--fault: %w", err)
	}
	if text := c.String("server-time"); text != "" {
		shown, err := instant.Parse(text)
		if err != nil {
			return o, fmt.Errorf("--server-time: %w", err)
		}
		o.ServerTime = func() instant.Ticks { return shown }
	}
	if c.IsSet("ca-file") && !o.TLS {
		return o, diag.WithHint(fmt.Errorf("--ca-file is of no use without --tls"), "add --tls")
	}
	o.Auth, err = auth(c)
	return o, err
}

func rateLimit(text string) (simulator.RateLimit, error) {
	if text == "" {
		return simulator.RateLimit{}, nil
	}
	number, per, given := strings.Cut(text, "/")
	limit := simulator.RateLimit{Per: time.Second}
	var err error
	if limit.Requests, err = strconv.Atoi(number); err != nil || limit.Requests < 1 {
		return limit, fmt.Errorf("%q is not a rate such as 1000 or 1000/1s", text)
	}
	if given {
		if limit.Per, err = time.ParseDuration(per); err != nil || limit.Per <= 0 {
			return limit, fmt.Errorf("%q is not a rate such as 1000 or 1000/1s", text)
		}
	}
	return limit, nil
}

// auth reads the credentials that the server accepts. They come from the environment
// or are made up: every user of the machine can see a command line.
func auth(c *cli.Context) (simulator.Auth, error) {
	a := simulator.Auth{Kind: simulator.AuthKind(c.String("auth"))}
	uses := map[simulator.AuthKind][]string{simulator.Anonymous: {}, simulator.Basic: {"username-env", "password-env"},
		simulator.Bearer: {"token-env"}}
	used, known := uses[a.Kind]
	if !known {
		return a, fmt.Errorf("--auth: %q is not known; allowed: anonymous, basic, bearer", a.Kind)
	}
	for _, name := range []string{"username-env", "password-env", "token-env"} {
		if c.IsSet(name) && !strings.Contains(strings.Join(used, " "), name) {
			return a, diag.WithHint(fmt.Errorf("--%s is of no use with --auth %s", name, a.Kind), "change --auth, or leave it out")
		}
	}
	var err error
	value := func(flag, made string) string {
		name := c.String(flag)
		if name == "" {
			return made
		}
		v := os.Getenv(name)
		if v == "" && err == nil {
			err = diag.WithHint(fmt.Errorf("--%s: the environment variable %s is not set", flag, name), "export %s first", name)
		}
		return v
	}
	switch a.Kind {
	case simulator.Basic:
		a.User, a.Password = value("username-env", "pi-reader"), value("password-env", rand.Text())
	case simulator.Bearer:
		a.Token = value("token-env", rand.Text())
	}
	return a, err
}

// writeCA writes a certificate to a file, or to a temporary one that remove removes.
func writeCA(path string, pem []byte) (file string, remove func(), err error) {
	if path != "" {
		return path, func() {}, os.WriteFile(path, pem, 0o644)
	}
	f, err := os.CreateTemp("", "pi-simulator-ca-*.pem")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.Remove(f.Name()) } // a temporary file left behind harms nobody
	_, err = f.Write(pem)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return f.Name(), remove, nil
}
