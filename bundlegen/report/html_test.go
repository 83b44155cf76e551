package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a person sees of a page is tested in a browser, in test/report.

func page(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, r))
	return b.String()
}

func TestPageIsTheSameEachTime(t *testing.T) {
	r := changed(t)
	assert.Equal(t, page(t, r), page(t, r))
}

// Nothing in a page refers to anything outside of it, but for the names of
// XML's and SVG's vocabularies, which nobody fetches.
func TestPageRefersToNothing(t *testing.T) {
	cfg, list := mixed()
	r := first(t, cfg, list)
	for _, tier := range r.Plan.Tiers {
		choices, err := r.Plan.Choices(cfg, tier.Name)
		require.NoError(t, err)
		r.Choices = append(r.Choices, choices)
	}
	text := page(t, r)
	assert.NotRegexp(t, regexp.MustCompile(`(?i)\b(src|href|srcset|action|poster)=|url\(|@import|https?://|xlink`), text)
	assert.Contains(t, text, "default-src &#39;none&#39;")
}

// The policy has the hashes of the style and the script that are there; a
// browser would refuse any others.
func TestPolicyNamesWhatIsThere(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	text := page(t, first(t, cfg, tags(cfg, 15)))
	for _, element := range []string{`<style>`, "<script>"} {
		_, rest, found := strings.Cut(text, element)
		require.True(t, found)
		inside, _, _ := strings.Cut(rest, "</")
		sum := sha256.Sum256([]byte(inside))
		hash := strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;")
		assert.Contains(t, text, "sha256-"+hash, element)
	}
}

// A page without choices, and one without changes, have no section for them.
func TestPageWithoutChoicesOrChanges(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	r := first(t, cfg, tags(cfg, 15))
	r.Changes = nil
	text := page(t, r)
	assert.NotContains(t, text, `class="choices"`)
	assert.NotContains(t, text, `id="changes"`)
	r.Changes = &plan.Changes{}
	assert.Contains(t, page(t, r), "None.")
}

func TestPageWriteErrorIsReturned(t *testing.T) {
	cfg := pipeline(1, time.Hour)
	assert.Error(t, report.HTML(broken{}, first(t, cfg, tags(cfg, 15))))
}
