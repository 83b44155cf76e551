package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/bundlegen/report"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

var pages = map[string]func(*testing.T) report.Report{
	"production": production, "mixed": mixed, "single": single, "serverless": serverless, "odd": odd, "always": always,
}

// No page scrolls sideways, and each follows the colours that its reader prefers.
func TestWidthsAndColours(t *testing.T) {
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			p := open(t, page(t), 1280, "light")
			seen := map[string]string{}
			for _, scheme := range []string{"light", "dark"} {
				for _, width := range []int64{1280, 400} {
					p.do(chromedp.EmulateViewport(width, 900), prefers(scheme))
					assert.LessOrEqual(t, eval[int64](p, "document.documentElement.scrollWidth"), width, scheme)
					p.picture(fmt.Sprintf("%s-%d-%s", name, width, scheme))
				}
				seen[scheme] = eval[string](p, "getComputedStyle(document.body).backgroundColor")
			}
			assert.Equal(t, map[string]string{"light": "rgb(246, 247, 249)", "dark": "rgb(17, 22, 29)"}, seen)
		})
	}
}

// On paper colours are light, whatever the reader prefers on a screen, and
// what only serves a mouse is left out.
func TestPrinted(t *testing.T) {
	p := open(t, production(t), 1280, "dark")
	p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return err
	}))
	assert.Equal(t, "rgb(255, 255, 255)", eval[string](p, "getComputedStyle(document.body).backgroundColor"))
	assert.Equal(t, "rgb(27, 36, 48)", eval[string](p, "getComputedStyle(document.body).color"))
	assert.Equal(t, "none", eval[string](p, "getComputedStyle(document.querySelector('.controls')).display"))
	paper, err := chromedp.Run(p.ctx, chromedp.PrintToPDF(chromedp.PDFPrintBackground()))
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(paper, []byte("%PDF-")))
	if *pictures != "" {
		require.NoError(t, os.WriteFile(filepath.Join(*pictures, "production.pdf"), paper, 0o644))
	}
}

// The JSON that a page holds is what plan --output json writes, without the settings:
// a page is sent around, and they have the addresses of servers.
func TestTheSameJSON(t *testing.T) {
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			r := page(t)
			var want bytes.Buffer
			require.NoError(t, report.JSON(&want, r))
			var document map[string]any
			require.NoError(t, json.Unmarshal(want.Bytes(), &document))
			require.Contains(t, document["plan"], "settings")
			delete(document["plan"].(map[string]any), "settings")
			without, err := json.Marshal(document)
			require.NoError(t, err)
			p := open(t, r, 1280, "light")
			assert.JSONEq(t, string(without), eval[string](p, "document.getElementById('plan').textContent"))
		})
	}
}

// bar is a bar as it is seen.
type bar struct {
	Row     string
	Kind    string
	Value   float64 // the number that it stands for
	Left    float64 // pixels
	Width   float64
	Visible bool
}

const bars = `((selector, row, value) => [...document.querySelectorAll(selector)].map((e) => {
	const box = e.getBoundingClientRect();
	return {Row: row(e), Kind: e.className, Value: value(e), Left: box.left, Width: box.width, Visible: box.height > 5};
}))`

// The partitions' bars are as long as their loads, to the pixel.
func TestBarsAreTheLoads(t *testing.T) {
	for _, page := range []func(*testing.T) report.Report{serverless, mixed} {
		r := page(t)
		for _, width := range []int64{1280, 400} {
			p := open(t, r, width, "light")
			got := eval[[]bar](p, bars+`('.loads .bar', (e) => e.closest('tr').dataset.partition, (e) => Number(e.closest('tr').dataset.weight))`)
			require.Len(t, got, len(r.Plan.Partitions))
			greatest := map[string]*bar{} // by tier: each has a table of its own
			tiers := map[string]string{}
			for i := range r.Plan.Partitions {
				part := &r.Plan.Partitions[i]
				at := slices.IndexFunc(got, func(b bar) bool { return b.Row == fmt.Sprint(part.ID) })
				require.GreaterOrEqual(t, at, 0)
				assert.Equal(t, part.Weight, got[at].Value)
				assert.True(t, got[at].Visible)
				tiers[got[at].Row] = part.Tier
				if g := greatest[part.Tier]; g == nil || got[at].Value > g.Value {
					greatest[part.Tier] = &got[at]
				}
			}
			for _, b := range got {
				full := greatest[tiers[b.Row]]
				assert.InDelta(t, full.Width*b.Value/full.Value, b.Width, 1, "partition %s", b.Row)
			}
		}
	}
}

// A timeline's bars are as long as their phases, and lie where those are.
func TestTimelineIsTheRun(t *testing.T) {
	for name, page := range map[string]func(*testing.T) report.Report{"own clusters": production, "one cluster": single, "pool": mixed} {
		t.Run(name, func(t *testing.T) {
			r := page(t)
			p := open(t, r, 1280, "light")
			for _, tier := range r.Plan.Tiers {
				f := tier.Forecast
				got := eval[[]bar](
					p,
					bars+fmt.Sprintf(
						`('[data-tier=%q] .timeline .row:not(.lines) .track > i', (e) => e.closest('.row').dataset.row, (e) => Number(e.dataset.seconds))`,
						tier.Name,
					),
				)
				require.NotEmpty(t, got)
				run := slices.DeleteFunc(slices.Clone(got), func(b bar) bool { return b.Row != "run" })
				first, last := run[0], run[len(run)-1]
				scale := (last.Left + last.Width - first.Left) / f.TotalSeconds // pixels a second
				for _, b := range got {
					assert.InDelta(t, b.Value*scale, b.Width, 1.5, "%+v", b)
				}
				sums := map[string]float64{}
				for _, b := range run {
					sums[b.Kind] += b.Value
				}
				assert.InDelta(t, f.DiscoverSeconds, sums["discover"], 0.01)
				assert.InDelta(t, f.ConsolidateSeconds, sums["consolidate"], 0.01)
				assert.InDelta(t, f.ValidateSeconds, sums["validate"], 0.01)
				for _, part := range r.Plan.Partitions {
					if part.Tier != tier.Name {
						continue
					}
					row, startup := fmt.Sprintf("%04d", part.ID), sums["start-up"]
					for _, b := range got {
						switch {
						case b.Row != row:
						case b.Kind == "start-up":
							startup += b.Value
						case b.Kind == "extract":
							assert.Equal(t, part.Seconds, b.Value)
							assert.InDelta(t, first.Left+scale*(startup+f.DiscoverSeconds), b.Left, 1.5, "it begins when its cluster is there")
						}
					}
					assert.InDelta(t, f.StartupSeconds, startup, 0.02, "start-ups in series")
				}
			}
		})
	}
}

// A continuous tier has loops: its partitions side by side, and no other task.
func TestTimelineOfLoops(t *testing.T) {
	r := always(t)
	p := open(t, r, 1280, "light")
	got := eval[[]bar](
		p,
		bars+`('[data-tier=critical] .timeline .row:not(.lines) .track > i', (e) => e.closest('.row').dataset.row, (e) => Number(e.dataset.seconds))`,
	)
	require.Len(t, got, 2)
	for i, b := range got {
		assert.Equal(t, "extract", b.Kind)
		assert.Equal(t, r.Plan.Partitions[i].Seconds, b.Value)
		assert.Equal(t, got[0].Left, b.Left)
	}
	text := eval[string](p, "document.querySelector('[data-tier=critical]').innerText")
	assert.Contains(t, text, "One loop, as a timeline")
	assert.Contains(t, text, "its clusters are always on")
	assert.NotContains(t, text, "What if")
	assert.Contains(t, eval[string](p, "document.querySelector('[data-tier=bulk]').innerText"), "What if")
}

// shown is what is seen of a tier's choices.
type shown struct {
	Kind, Partitions, Text, Count string
	Guide                         float64
	Warnings                      int
}

// valuesOf returns what settings set.
func valuesOf(settings []plan.Setting) []string {
	var values []string
	for _, s := range settings {
		values = append(values, s.Value)
	}
	return values
}

const showing = `(() => {
	const box = document.querySelector('.choices');
	const seen = [...box.querySelectorAll('article')].filter((a) => a.getBoundingClientRect().height > 0);
	if (seen.length !== 1) throw new Error(seen.length + ' choices are seen');
	return {...{Warnings: seen[0].querySelectorAll('li').length, Kind: seen[0].dataset.kind, Partitions: seen[0].dataset.partitions, Text: seen[0].innerText},
		Count: box.querySelector('output').textContent, Guide: box.querySelector('.guide').getBoundingClientRect().left};
})()`

// The slider shows every choice there is, with its own run, cost and warnings.
func TestSlider(t *testing.T) {
	r := production(t)
	p := open(t, r, 1280, "light")
	kinds := map[string][]plan.Choice{}
	for _, c := range r.Choices[0] {
		kinds[c.Kind] = append(kinds[c.Kind], c)
	}
	require.Len(t, kinds, 5)
	for kind, choices := range kinds {
		p.do(chromedp.Click(chromedp.CSS(fmt.Sprintf(`.choices label:has(input[value=%q])`, kind))))
		guides := map[float64]bool{}
		for i, c := range choices {
			p.run(
				fmt.Sprintf(`(() => { const r = document.querySelector('.slider input'); r.value = %d; r.dispatchEvent(new Event('input')); })()`, i),
			)
			got := eval[shown](p, showing)
			assert.Equal(t, kind, got.Kind)
			assert.Equal(t, fmt.Sprint(c.Partitions), got.Partitions)
			assert.Equal(t, words.Count(c.Partitions), got.Count)
			for _, text := range append([]string{words.Span(c.TotalSeconds), words.Dollars(c.CostPerRun), words.Dollars(c.CostPerMonth), words.Span(c.FreshnessSeconds)}, valuesOf(c.Change)...) {
				assert.Contains(t, got.Text, text)
			}
			assert.Equal(t, len(c.Warnings), got.Warnings)
			guides[got.Guide] = true
		}
		if kind != plan.ChoiceSequential {
			assert.Len(t, guides, len(choices), "the line in the curves is at another place for each")
		}
	}

	// Keys move it, the button leads back, and a click on a curve's dot is another way.
	p.do(chromedp.Click(chromedp.CSS(".choices button")))
	assert.Equal(t, "10", eval[shown](p, showing).Partitions)
	p.do(chromedp.SendKeys(chromedp.CSS(".slider input"), "\u0304")) // arrow right
	assert.Equal(t, "11", eval[shown](p, showing).Partitions)
	p.run(
		`document.querySelector('svg .dot[data-kind=serverless][data-partitions="5"]').dispatchEvent(new MouseEvent('click', {bubbles: true}))`,
	)
	got := eval[shown](p, showing)
	assert.Equal(t, []string{plan.ComputeServerless, "5"}, []string{got.Kind, got.Partitions})
	assert.True(t, eval[bool](p, `document.querySelector('.choices input[value=serverless]').checked`))
}

// tagRows returns what the table of changed tags shows.
func (p *tab) tagRows() []string {
	return eval[[]string](p, `[...document.querySelectorAll('#tags tr')].map((r) => [...r.cells].map((c) => c.textContent).join('|'))`)
}

// search types what is looked for.
func (p *tab) search(text string) {
	p.t.Helper()
	p.do(chromedp.Focus(chromedp.CSS("#search")))
	p.run("document.getElementById('search').select()")
	p.do(chromedp.KeyEvent(text))
}

func TestSearch(t *testing.T) {
	p := open(t, production(t), 1280, "light")
	require.Len(t, p.tagRows(), 46)
	assert.Equal(t, "46 of 46 tags", eval[string](p, "document.getElementById('found').textContent"))
	p.search("renamed")
	assert.Equal(t, "1 of 46 tags", eval[string](p, "document.getElementById('found').textContent"))
	require.Len(t, p.tagRows(), 1)
	assert.Regexp(t, `^~\|U20\.FIC000100\.RENAMED\|plant-a\|was U20\.FIC000100\.PV$`, p.tagRows()[0])
	p.search("FIC000100.pv")
	assert.Len(t, p.tagRows(), 1, "what a tag was called is found too, in any case")
	p.search("no such tag")
	assert.Empty(t, p.tagRows())
}

// A tag's name is shown as it is, but for what nobody would see, and does nothing.
func TestHostileNames(t *testing.T) {
	p := open(t, odd(t), 400, "light")
	rows := strings.Join(p.tagRows(), "\n")
	for _, name := range hostile {
		assert.Contains(t, rows, text.Line(name))
	}
	assert.Equal(t, "undefined", eval[string](p, "typeof window.bad"))
	assert.Equal(t, 2, eval[int](p, "document.scripts.length"), "the page's own two")
	assert.Equal(t, `<b onmouseover="window.bad=6">&amp;`, eval[string](p, "document.querySelector('h1').textContent"))
	for _, name := range hostile {
		p.run(
			fmt.Sprintf(
				`(() => { const s = document.getElementById('search'); s.value = %s; s.dispatchEvent(new Event('input')); })()`,
				quoted(t, name),
			),
		)
		assert.NotEmpty(t, p.tagRows(), name)
	}
}

func quoted(t *testing.T, s string) string {
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

// A plan that is larger than a page bears is shown in part, and the page says so.
func TestLargePlan(t *testing.T) {
	r := large(t)
	require.Len(t, r.Plan.Partitions, 990)
	require.Len(t, r.Changes.Tags, 100_000)
	var page bytes.Buffer
	require.NoError(t, report.HTML(&page, r))
	assert.Less(t, page.Len(), 6<<20)
	p := open(t, r, 1280, "light")
	text := eval[string](p, "document.body.innerText")
	assert.Contains(t, text, "20,000 of 100,000 changed tags are in this page; bundlegen plan --all lists all")
	assert.Contains(t, text, "20,000 of 20,000 tags, the first 200 are shown")
	assert.Regexp(t, `… 870 more of \d+ k to \d+ k events/h; plan --all lists them`, text)
	assert.Contains(t, text, "… and 10 sites more.")
	p.search("FIC000123")
	assert.Len(t, p.tagRows(), 1)
	p.picture("large-1280-light")
}
