package nodecheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/extractor/auth"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
)

const (
	siteTimeout = 30 * time.Second // for the one request
	sitesAtOnce = 8
	skewAllowed = 5 * time.Minute // Kerberos's, and more than a settle lag takes
	maxSites    = 64 << 20        // bytes of what comes by standard input
)

// packed is what a worker, which may not see the bundle's folder, is given of it.
type packed struct {
	Sites manifest.Sites    `json:"sites"`
	Files map[string]string `json:"files"` // certificates and Kerberos configurations by their name in the bundle
}

// sites asks each site of a bundle for one page: of the folder given, else of what
// comes by standard input.
func sites(ctx context.Context, n Node, args []string) error {
	var all manifest.Sites
	var files auth.Files
	if len(args) == 1 {
		s, err := manifest.LoadSites(filepath.Join(args[0], manifest.SitesFile))
		if err != nil {
			return err
		}
		all, files = s, auth.Folder(args[0])
	} else {
		var p packed
		if err := json.NewDecoder(io.LimitReader(n.Stdin, maxSites)).Decode(&p); err != nil {
			return fmt.Errorf("the sites on standard input: %w", err)
		}
		all, files = p.Sites, func(name string) ([]byte, error) {
			text, ok := p.Files[name]
			if !ok {
				return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
			}
			return []byte(text), nil
		}
	}
	findings := make([]Finding, len(all.Sites))
	var g errgroup.Group
	g.SetLimit(sitesAtOnce)
	for i, site := range all.Sites {
		g.Go(func() error {
			defer crash.Exit()
			findings[i] = trySite(ctx, site, files, n.Getenv)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return n.tell(findings...)
}

// trySite sends one request, as the tasks do. The figure step names what the
// request came to: settings, dns, connect, tls, credentials, answer.
func trySite(ctx context.Context, site manifest.Site, files auth.Files, getenv func(string) (string, bool)) Finding {
	f := Finding{Check: "site", Subject: site.Name, State: OK, Figures: map[string]any{}}
	fail := func(step string, err error) Finding {
		f.State, f.Detail, f.Figures["step"] = Fail, err.Error(), step
		return f
	}
	transport, err := auth.NewTransport(site, files, getenv)
	if err != nil {
		return fail("settings", err)
	}
	ctx, cancel := context.WithTimeout(ctx, siteTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL+"/", nil)
	if err != nil {
		return fail("settings", err)
	}
	start := time.Now()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	f.Figures["milliseconds"] = time.Since(start).Milliseconds()
	if err != nil {
		return fail(stepOf(err), err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fail("credentials", fmt.Errorf("the site answered %s", resp.Status))
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fail("answer", fmt.Errorf("the site answered %s", resp.Status))
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		skew := time.Since(at).Round(time.Second)
		f.Figures["skew_seconds"] = skew.Seconds()
		if skew.Abs() > skewAllowed {
			return fail("clock", fmt.Errorf("this node's clock and the site's are %s apart", skew.Abs()))
		}
	}
	return f
}

// stepOf is the step of a request at which an error arose.
func stepOf(err error) string {
	var name *net.DNSError
	var operation *net.OpError
	switch {
	case errors.As(err, &name):
		return "dns"
	case auth.OfTLS(err):
		return "tls"
	case errors.As(err, &operation) && operation.Op == "dial":
		return "connect"
	case errors.Is(err, context.DeadlineExceeded):
		return "connect"
	}
	return "answer"
}
