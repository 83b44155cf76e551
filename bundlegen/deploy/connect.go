package deploy

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/databricks/cli/bundle"
	"github.com/databricks/cli/libs/databrickscfg"
	"github.com/databricks/cli/libs/env"
	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/config"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/sleep"
)

// connect finds host and credentials as the CLI does (cmd/root/bundle.go and
// bundle/config/workspace.go), and gives the bundle a client that goes through
// the session's link.
func (s *session) connect(hello, patience time.Duration) error {
	if err := s.chooseProfile(); err != nil {
		return err
	}
	workspace := &s.bundle.Config.Workspace
	workspace.NormalizeHostURL()
	cfg := workspace.Config(s.ctx)
	cfg.Loaders = loaders(workspace.Profile, workspace.Host)

	s.link = newLink(s.ctx, patience, func(why error) { s.cancel(silent(cfg.Host, why)) })
	cfg.HTTPTransport = s.link
	var unreachable error
	cfg.HostMetadataResolver = func(_ context.Context, host string) (*config.HostMetadata, error) {
		// The SDK asks this of a host in any case, and goes on when there is no
		// answer. It is asked here under the verb's context, and silence is final.
		if cfg.InsecureSkipVerify {
			s.link.next.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // skip_verify of the profile
		}
		var meta *config.HostMetadata
		meta, unreachable = greet(s.ctx, s.link, host, hello)
		return meta, nil
	}
	err := cfg.EnsureResolved()
	s.console.hide(secretsOf(cfg))
	switch {
	case unreachable != nil:
		return unreachable
	case err != nil:
		return fmt.Errorf("cannot find credentials: %w", err)
	case cfg.Host == "" && cfg.AzureResourceID == "":
		return noHost(s.target)
	}
	if workspace.Host != "" && workspace.Profile != "" {
		if err := databrickscfg.ValidateConfigAndProfileHost(cfg, workspace.Profile); err != nil {
			return err
		}
	}
	s.client, err = databricks.NewWorkspaceClient((*databricks.Config)(cfg))
	if err != nil {
		return err
	}
	s.bundle.SetWorkpaceClient(s.client)
	return nil
}

// chooseProfile sets the profile of ~/.databrickscfg that the environment names,
// or the file's own default one when nothing names a host.
func (s *session) chooseProfile() error {
	profile := env.Get(s.ctx, "DATABRICKS_CONFIG_PROFILE")
	if w := s.bundle.Config.Workspace; profile == "" && w.Host == "" && w.Profile == "" {
		var err error
		profile, err = databrickscfg.GetConfiguredDefaultProfile(s.ctx, env.Get(s.ctx, "DATABRICKS_CONFIG_FILE"))
		if err != nil {
			return err
		}
	}
	if profile != "" {
		bundle.ApplyFuncContext(s.ctx, s.bundle, func(_ context.Context, b *bundle.Bundle) {
			b.Config.Workspace.Profile = profile
		})
	}
	return nil
}

// loaders is where credentials are looked for. nil is the SDK's own order:
// the environment, then the file's DEFAULT profile.
func loaders(profile, host string) []config.Loader {
	switch {
	case profile != "":
		return databrickscfg.ProfileAuthLoaders
	case host != "":
		return []config.Loader{config.ConfigAttributes, databrickscfg.ResolveProfileFromHost}
	default:
		return nil
	}
}

// secretsOf is the values that must never be printed.
func secretsOf(cfg *config.Config) []string {
	var values []string
	for i := range config.ConfigAttributes {
		if attr := &config.ConfigAttributes[i]; attr.Sensitive && !attr.IsZero(cfg) {
			values = append(values, attr.GetString(cfg))
		}
	}
	return values
}

// greetings is how often a workspace is asked for its first answer.
const greetings = 3

// greet asks the workspace who it is, within the time given. Any HTTP answer
// will do; only a well-formed one says more.
func greet(ctx context.Context, transport http.RoundTripper, host string, within time.Duration) (*config.HostMetadata, error) {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for attempt := 1; ; attempt++ {
		meta, err := greetOnce(limited, &client, host)
		if err == nil {
			return meta, nil
		}
		if attempt == greetings || sleep.For(limited, time.Duration(attempt)*time.Second) != nil {
			return nil, unanswered(ctx, host, within, err)
		}
	}
}

// greetOnce makes one attempt. An error means that there was no answer.
func greetOnce(ctx context.Context, client *http.Client, host string) (*config.HostMetadata, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/.well-known/databricks-config", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var meta config.HostMetadata
	if resp.StatusCode != http.StatusOK || json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<20)).Decode(&meta) != nil {
		return nil, nil
	}
	return &meta, nil
}

// unanswered is the error for a workspace that did not answer at all.
func unanswered(ctx context.Context, host string, within time.Duration, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return silent(host, &silence{after: within})
	}
	hint := cmp.Or(hintFor(err.Error(), place{host: host}), networkHint)
	return diag.WithHint(fmt.Errorf("%w from %s: %w", ErrNoAnswer, host, err), "%s", hint)
}
