package simulator_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

// pair makes a server with a quirk and one without it, otherwise alike.
func pair(o simulator.Options, q simulator.Quirk) (on, off *simulator.Server) {
	if o.Clock == nil {
		o.Clock = clock(noon)
	}
	with, without := o, o
	with.Quirks = append(slices.Clone(o.Quirks), q)
	without.WithoutQuirks = append(slices.Clone(o.WithoutQuirks), q)
	return simulator.New(with), simulator.New(without)
}

// tag returns the first tag that is so.
func tag(t testing.TB, s *simulator.Server, is func(simulator.Tag) bool) simulator.Tag {
	t.Helper()
	for _, tag := range s.Oracle().Tags() {
		if is(tag) {
			return tag
		}
	}
	require.Fail(t, "no such tag")
	return simulator.Tag{}
}

func lively(tag simulator.Tag) bool { return tag.EventsPerHour >= 50 && tag.EventsPerHour < 500 }

func serverID(t testing.TB, s *simulator.Server) string {
	t.Helper()
	var servers struct {
		Items []struct {
			WebID string `json:"WebId"`
		}
	}
	get(s, "/dataservers").into(t, &servers)
	return servers.Items[0].WebID
}

// recorded reads events of the last hours as the server prints them.
func recorded(t testing.TB, s *simulator.Server, webID string, hours int, more string) (values []timedValue, links map[string]string,
	raw string) {
	t.Helper()
	a := get(s, "/streams/%s/recorded?startTime=*-%dh&endTime=*%s", webID, hours, more)
	require.Equal(t, 200, a.status, "%s", a.body)
	var page struct {
		Links map[string]string
		Items []timedValue
	}
	a.into(t, &page)
	return page.Items, page.Links, string(a.body)
}

// all returns the oracle's events of all tags in the last hour, for a server with q and one without.
func all(o simulator.Options, q simulator.Quirk) (on, off []simulator.Event) {
	collect := func(s *simulator.Server) (list []simulator.Event) {
		for _, tag := range s.Oracle().Tags() {
			list = append(list, s.Oracle().Events(tag.Index, noon-instant.Hour, noon)...)
		}
		return list
	}
	with, without := pair(o, q)
	return collect(with), collect(without)
}

func count(list []simulator.Event, is func(e simulator.Event) bool) (n int) {
	for _, e := range list {
		if is(e) {
			n++
		}
	}
	return n
}

func duplicates(list []simulator.Event) (n, longest int) {
	run := 1
	for i := 1; i < len(list); i++ {
		if list[i].Ticks != list[i-1].Ticks {
			run = 1
			continue
		}
		n++
		run++
		longest = max(longest, run)
	}
	return n, longest
}

// Quirks of the archive: what the events are.
func TestQuirksOfTheArchive(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 400}

	on, off := all(o, simulator.DuplicateTimestamps)
	withDup, _ := duplicates(on)
	without, longest := duplicates(off) // the bursts are left
	require.Greater(t, withDup, without)
	require.Equal(t, 1200, longest)

	on, off = all(o, simulator.OneTimestampPage)
	_, longest = duplicates(on)
	require.Equal(t, 1200, longest, "more than the default maxCount")
	_, longest = duplicates(off)
	require.Less(t, longest, 10)

	whole := func(e simulator.Event) bool { return e.Ticks%instant.Second == 0 }
	finest := func(e simulator.Event) bool { return e.Ticks%instant.Microsecond != 0 }
	on, off = all(o, simulator.MixedFractions)
	require.Positive(t, count(on, whole))
	require.Positive(t, count(on, finest))
	require.Zero(t, count(off, finest))

	onNumber := func(e simulator.Event) bool { return e.HasCode && e.Code >= 246 && !e.Good }
	on, off = all(o, simulator.SystemStates)
	require.Positive(t, count(on, onNumber))
	require.Zero(t, count(off, func(e simulator.Event) bool { return e.Code >= 246 }))

	failed := func(e simulator.Event) bool { return !e.HasValue && !e.HasText && e.Good }
	on, off = all(o, simulator.ValueErrors)
	require.Positive(t, count(on, failed))
	require.Zero(t, count(off, failed))

	notFinite := func(e simulator.Event) bool { return e.HasValue && e.Value-e.Value != 0 }
	on, off = all(o, simulator.SpecialFloats)
	require.Positive(t, count(on, notFinite))
	require.Zero(t, count(off, notFinite))

	on, off = all(o, simulator.PrintsAnnotated)
	annotated := func(e simulator.Event) bool { return e.Annotated }
	require.Positive(t, count(on, annotated))
	require.Zero(t, count(off, annotated))
}

// A page break falls among duplicates: reading on behind the last timestamp loses events.
func TestDuplicatesLieOnPageBreaks(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 5, Tags: 60, Clock: clock(noon)})
	groups := s.Oracle().Tags()[6] // every 41st tag from the 6th on has groups
	breaks := 0
	for size := 20; size < 40; size++ {
		values, _, _ := recorded(t, s, groups.WebID, 24, fmt.Sprintf("&maxCount=%d", size+1))
		require.Len(t, values, size+1)
		if values[size].Timestamp == values[size-1].Timestamp {
			breaks++
		}
	}
	require.Greater(t, breaks, 10)
}

func TestQuirksOfRecorded(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 60}

	on, off := pair(o, simulator.SilentTruncation)
	busy := tag(t, on, lively)
	_, links, _ := recorded(t, on, busy.WebID, 3, "&maxCount=10")
	require.Empty(t, links)
	values, links, _ := recorded(t, off, busy.WebID, 3, "&maxCount=10")
	next, err := url.Parse(links["Next"])
	require.NoError(t, err)
	require.Equal(t, values[9].Timestamp, next.Query().Get("starttime"))
	_, links, _ = recorded(t, off, busy.WebID, 3, "&maxCount=1000")
	require.Empty(t, links)

	on, off = pair(o, simulator.InclusiveEnds)
	values, _, _ = recorded(t, on, busy.WebID, 3, "")
	between := func(s *simulator.Server) int {
		var page struct{ Items []timedValue }
		get(s, "/streams/%s/recorded?startTime=%s&endTime=%s", busy.WebID, values[0].Timestamp, values[9].Timestamp).into(t, &page)
		return len(page.Items)
	}
	require.GreaterOrEqual(t, between(on), 10)
	require.Less(t, between(off), between(on))

	on, off = pair(o, simulator.RoundedBounds)
	from, err := instant.Parse(values[0].Timestamp)
	require.NoError(t, err)
	edge := func(s *simulator.Server) int {
		var page struct{ Items []timedValue }
		get(s, "/streams/%s/recorded?startTime=%s&endTime=%s", busy.WebID, from+1, from+1).into(t, &page)
		return len(page.Items)
	}
	require.Zero(t, edge(off))
	require.Positive(t, edge(on), "an event one tick before the start")

	on, off = pair(o, simulator.MixedFractions)
	widths := func(s *simulator.Server) map[int]bool {
		list, _, _ := recorded(t, s, busy.WebID, 24, "")
		seen := map[int]bool{}
		for _, v := range list {
			_, fraction, _ := strings.Cut(strings.TrimSuffix(v.Timestamp, "Z"), ".")
			seen[len(fraction)] = true
		}
		return seen
	}
	require.Len(t, widths(on), 8)
	require.Equal(t, map[int]bool{7: true}, widths(off))

	digital := tag(t, on, func(tag simulator.Tag) bool { return tag.PointType == simulator.Digital && lively(tag) })
	on, off = pair(o, simulator.OmitIsSystem)
	_, _, raw := recorded(t, on, digital.WebID, 3, "")
	require.NotContains(t, raw, "IsSystem")
	_, _, raw = recorded(t, off, digital.WebID, 3, "")
	require.Contains(t, raw, `"IsSystem":false`)

	on, off = pair(o, simulator.PrintsAnnotated)
	_, _, raw = recorded(t, on, busy.WebID, 3, "")
	require.Contains(t, raw, `"Annotated":`)
	_, _, raw = recorded(t, off, busy.WebID, 3, "")
	require.NotContains(t, raw, "Annotated")

	float := tag(t, on, func(tag simulator.Tag) bool { return tag.PointType == simulator.Float32 && lively(tag) })
	on, off = pair(o, simulator.Float32Shortest)
	short, _, shortRaw := recorded(t, on, float.WebID, 3, "")
	wide, _, wideRaw := recorded(t, off, float.WebID, 3, "")
	require.Equal(t, len(short), len(wide))
	require.Less(t, len(shortRaw), len(wideRaw))

	on, off = pair(simulator.Options{Seed: 5, Tags: 400}, simulator.BareNaN)
	var bare, quoted strings.Builder
	for _, tag := range on.Oracle().Tags() {
		if tag.PointType == simulator.Float32 && lively(tag) {
			bare.Write(get(on, "/streams/%s/recorded", tag.WebID).body)
			quoted.Write(get(off, "/streams/%s/recorded", tag.WebID).body)
		}
	}
	require.Contains(t, bare.String(), `"Value":NaN`)
	require.Contains(t, bare.String(), `"Value":-Infinity`)
	require.Contains(t, quoted.String(), `"Value":"NaN"`)
	require.NotContains(t, quoted.String(), `"Value":NaN`)
}

func TestQuirksOfLists(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 60}

	on, off := pair(o, simulator.EmptyPointsLinks)
	page := "/dataservers/" + serverID(t, on) + "/points?startIndex=20&maxCount=10&selectedFields=Links"
	require.JSONEq(t, `{"Links":{}}`, string(get(on, "%s", page).body))
	var got struct{ Links map[string]string }
	get(off, "%s", page).into(t, &got)
	start := func(name string) string {
		u, err := url.Parse(got.Links[name])
		require.NoError(t, err)
		return u.Query().Get("startindex")
	}
	require.Equal(t, []string{"0", "10", "30", "50"}, []string{start("First"), start("Previous"), start("Next"), start("Last")})

	on, off = pair(o, simulator.OddNames)
	odd := func(s *simulator.Server) (n int) {
		for _, tag := range s.Oracle().Tags() {
			if !strings.HasPrefix(tag.Name, "PLANT") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 12, odd(on))
	require.Zero(t, odd(off))

	on, off = pair(o, simulator.WebIDTypeIgnored)
	first := func(s *simulator.Server) string {
		var page struct{ Items []point }
		get(s, "/dataservers/%s/points?webIdType=idonly&maxCount=1", serverID(t, s)).into(t, &page)
		return page.Items[0].WebID
	}
	require.Equal(t, "F1DP", first(on)[:4])
	require.Equal(t, "I1DP", first(off)[:4])
	require.Len(t, first(off), 32)
}

func TestQuirksOfStreamSets(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 60}
	on, off := pair(o, simulator.ShuffledStreamSets)
	tags := on.Oracle().Tags()[:20]
	names := func(s *simulator.Server) (list []string) {
		var set struct{ Items []struct{ Name string } }
		get(s, "/streamsets/value?%s", webIDs(tags...)).into(t, &set)
		for _, item := range set.Items {
			list = append(list, item.Name)
		}
		return list
	}
	var asked []string
	for _, tag := range tags {
		asked = append(asked, tag.Name)
	}
	require.NotEqual(t, asked, names(on))
	require.ElementsMatch(t, asked, names(on))
	require.Equal(t, asked, names(off))

	on, off = pair(o, simulator.AnswersDefaultWebID)
	kind := func(s *simulator.Server, more string) string {
		var set struct {
			Items []struct {
				WebID string `json:"WebId"`
			}
		}
		get(s, "/streamsets/value?webId=%s%s", s.Oracle().WebID(4, simulator.IDOnly), more).into(t, &set)
		return set.Items[0].WebID[:1]
	}
	require.Equal(t, "F", kind(on, ""))
	require.Equal(t, "I", kind(off, ""))
	require.Equal(t, "P", kind(on, "&webIdType=PathOnly"))

	on, off = pair(o, simulator.WholeSetFails)
	for _, s := range []*simulator.Server{on, off} {
		require.NoError(t, s.FailTag(tags[3].Name, simulator.FaultPermission))
	}
	require.Equal(t, 500, get(on, "/streamsets/recorded?%s", webIDs(tags...)).status)
	a := get(off, "/streamsets/recorded?%s", webIDs(tags...))
	require.Equal(t, http.StatusMultiStatus, a.status)
	var set struct {
		Items []struct {
			WebID        string `json:"WebId"`
			Items        []timedValue
			WebException *struct {
				Errors     []string
				StatusCode int
			}
		}
	}
	a.into(t, &set)
	bad := 0
	for _, item := range set.Items {
		if item.WebException != nil {
			bad++
			require.Equal(t, tags[3].WebID, item.WebID)
			require.Equal(t, 500, item.WebException.StatusCode)
		}
	}
	require.Equal(t, 1, bad)
	require.Len(t, set.Items, 20)
}

func TestQuirksOfTheCap(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 60, MaxItemsPerCall: 500}
	on, off := pair(o, simulator.OverCapRefused)
	quiet := tag(t, on, func(tag simulator.Tag) bool { return tag.EventsPerHour == 0 })
	busy := tag(t, on, lively)
	a := get(on, "/streams/%s/recorded?maxCount=501", quiet.WebID)
	require.Equal(t, 400, a.status)
	require.Contains(t, string(a.body), "is greater than the maximum allowed (500).")
	require.Equal(t, 400, get(on, "/dataservers/%s/points?maxCount=501", serverID(t, on)).status)
	require.Equal(t, 200, get(off, "/streams/%s/recorded?maxCount=501", quiet.WebID).status)

	on, off = pair(o, simulator.CapByMaxCount)
	few := fmt.Sprintf("/streamsets/recorded?startTime=*-1m&maxCount=300&%s", webIDs(busy, quiet))
	many := fmt.Sprintf("/streamsets/recorded?startTime=*-24h&maxCount=2000&%s", webIDs(busy, quiet))
	require.Equal(t, 400, get(on, "%s", few).status)
	require.Equal(t, 200, get(off, "%s", few).status)
	require.Equal(t, 400, get(off, "%s", many).status)
}

func TestQuirksOfSummaries(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 60}
	on, off := pair(o, simulator.NoSummary)
	busy := tag(t, on, lively)
	sum := func(s *simulator.Server, types string) answer {
		return get(s, "/streams/%s/summary?startTime=*-2h&endTime=*&calculationBasis=EventWeighted&%s", busy.WebID, types)
	}
	require.Equal(t, 404, sum(on, "summaryType=Count").status)
	require.Equal(t, 200, sum(off, "summaryType=Count").status)

	on, off = pair(o, simulator.NoCountSummary)
	require.Equal(t, 501, sum(on, "summaryType=Count").status)
	require.Equal(t, 200, sum(on, "summaryType=Total").status)
	require.Equal(t, 200, sum(off, "summaryType=Count").status)

	on, off = pair(o, simulator.CountGoodOnly)
	number := func(s *simulator.Server) (n float64) {
		var got struct {
			Items []struct {
				Type  string
				Value struct{ Value float64 }
			}
		}
		sum(s, "summaryType=Count").into(t, &got)
		require.Equal(t, "Count", got.Items[0].Type)
		return got.Items[0].Value.Value
	}
	events := on.Oracle().Events(busy.Index, noon-2*instant.Hour-1, noon)
	require.EqualValues(t, len(events), number(off))
	good := count(events, func(e simulator.Event) bool { return e.Good })
	require.EqualValues(t, good, number(on))
}

func TestQuirksOfRefusals(t *testing.T) {
	long := "/streamsets/value?" + strings.Repeat("webId=x&", 3000)
	on, off := pair(simulator.Options{}, simulator.URLTooLong400)
	require.Equal(t, 400, get(on, "%s", long).status)
	require.Equal(t, 414, get(off, "%s", long).status)

	on, off = pair(simulator.Options{}, simulator.RetryAfter)
	for s, want := range map[*simulator.Server]string{on: "1", off: ""} {
		s.Throttle(1)
		a := get(s, "/system")
		require.Equal(t, 429, a.status)
		require.Contains(t, string(a.body), "Rate limit was reached")
		require.Equal(t, want, a.header.Get("Retry-After"))
		require.Equal(t, 200, get(s, "/system").status)
	}

	on, off = pair(simulator.Options{}, simulator.CSRFDefense)
	require.Equal(t, 400, ask(on, "POST", "/batch", "{}").status)
	require.Equal(t, 207, ask(on, "POST", "/batch", "{}", "X-Requested-With", "XMLHttpRequest").status)
	require.Equal(t, 207, ask(off, "POST", "/batch", "{}").status)

	auth := simulator.Auth{Kind: simulator.Basic, User: "u", Password: "p"}
	offers := func(q ...simulator.Quirk) []string {
		return get(simulator.New(simulator.Options{Auth: auth, Quirks: q}), "/").header.Values("WWW-Authenticate")
	}
	require.Equal(t, []string{"Negotiate", `Basic realm="PISRV1"`}, offers())
	require.Equal(t, []string{`Basic realm="PISRV1"`, "Negotiate"}, offers(simulator.AuthHeaderBasicFirst))
	require.Equal(t, []string{`Negotiate, Basic realm="PISRV1"`}, offers(simulator.AuthHeaderJoined))
	on, off = pair(simulator.Options{Auth: auth}, simulator.AuthLoop)
	require.Equal(t, 401, ask(on, "GET", "/", "", "Authorization", "Basic dTpw").status)
	require.Equal(t, 200, ask(off, "GET", "/", "", "Authorization", "Basic dTpw").status)
	require.Equal(t, 401, ask(off, "GET", "/", "", "Authorization", "Basic dTpx").status)
}

// The quirks that stand for faults strike every 25th time.
func TestQuirksThatAreFaults(t *testing.T) {
	o := simulator.Options{Seed: 5, Tags: 60}
	for _, q := range []simulator.Quirk{simulator.WebExceptions, simulator.CutBodies, simulator.HTMLErrors} {
		on, off := pair(o, q)
		busy := tag(t, on, lively)
		struck := func(s *simulator.Server) (n int) {
			for range 100 {
				if !sound(s, "/streams/"+busy.WebID+"/recorded?maxCount=10") {
					n++
				}
			}
			return n
		}
		require.Equal(t, 4, struck(on), q.String())
		require.Zero(t, struck(off), q.String())
	}
}

func TestEveryQuirkHasANameOfItsOwn(t *testing.T) {
	for _, q := range simulator.Quirks() {
		parsed, err := simulator.ParseQuirk(q.Name)
		require.NoError(t, err)
		require.Equal(t, q.Quirk, parsed)
		require.Equal(t, q.Name, q.Quirk.String())
		require.NotEmpty(t, q.Doc)
	}
}
