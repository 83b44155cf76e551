// Package report_test opens the page of plan --output html in a headless
// Chromium and looks at what a person sees.
package report_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/report"
)

// pictures is for looking at the pages by eye, and for the README's picture.
var pictures = flag.String("pictures", "", "write pictures of the pages into this `FOLDER`")

// browser is the one Chromium of all tests; each page has a tab of its own.
var browser context.Context

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBrowser(m.Run))
}

// withBrowser runs something while a browser is there.
func withBrowser(run func() int) int {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // tests may run as root
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-pings", true),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	defer end()
	var closeBrowser context.CancelFunc
	browser, closeBrowser = chromedp.NewContext(allocator)
	defer closeBrowser()
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintf(os.Stderr, "%v\nhint: the tests of the page need Chromium; scripts/setup.sh test installs it\n", err)
		return 1
	}
	return run()
}

// tab is a page that is open.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // console errors, exceptions, violations of the policy
	requests []string // what the page asked for
}

// open writes a report's page to a file and opens that. What the browser holds
// against it, and whether it asked for anything but itself, is checked at the
// test's end.
func open(t *testing.T, r report.Report, width int64, scheme string) *tab {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, report.HTML(&page, r))
	file := filepath.Join(t.TempDir(), "plan.html")
	require.NoError(t, os.WriteFile(file, page.Bytes(), 0o644))

	p := &tab{t: t}
	var end context.CancelFunc
	p.ctx, end = chromedp.NewContext(browser, chromedp.WithListener(p.listen))
	t.Cleanup(end)
	url := "file://" + file
	p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		return err
	}), chromedp.EmulateViewport(width, 900), prefers(scheme), chromedp.Navigate(url))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		assert.Empty(t, p.problems)
		assert.Equal(t, []string{url}, p.requests, "the page needs nothing but itself")
	})
	return p
}

// prefers makes the tab one of a user who prefers a colour scheme.
func prefers(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.problems = append(p.problems, "console: "+string(e.Type))
	case *log.EventEntryAdded:
		p.problems = append(p.problems, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	}
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, steps...))
}

// eval returns the value of an expression.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err, expression)
	return value
}

// run runs statements.
func (p *tab) run(statements string) {
	p.t.Helper()
	eval[bool](p, statements+"; true")
}

// picture writes what is seen, if pictures are wanted.
func (p *tab) picture(name string) {
	p.t.Helper()
	if *pictures == "" {
		return
	}
	image, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(*pictures, strings.ReplaceAll(name, "/", "-")+".png"), image, 0o644))
}
