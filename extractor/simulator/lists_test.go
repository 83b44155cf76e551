package simulator_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/simulator"
	"github.com/bundlegen/bundlegen/pipeline/instant"
)

func TestHomeAndDataServers(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 3, DataServer: "PI-β", Clock: clock(noon)})
	var home struct{ Links map[string]string }
	get(s, "/").into(t, &home)
	require.Subset(t, slices.Collect(maps.Keys(home.Links)), []string{"Self", "AssetServers", "DataServers", "Search", "System"})
	var system map[string]any
	get(s, "/system").into(t, &system)
	require.Equal(t, simulator.Version, system["ProductVersion"])
	type server struct {
		WebID, ID, Name, Path, ServerVersion, ServerTime string
		IsConnected                                      bool
		Links                                            map[string]string
	}
	var list struct{ Items []server }
	get(s, "/dataservers").into(t, &list)
	require.Len(t, list.Items, 1)
	require.Equal(t, "2026-01-01T12:00:00Z", list.Items[0].ServerTime)
	for _, path := range []string{"?name=pi-%CE%B2", "?path=" + url.QueryEscape(`\\PIServers[PI-β]`), "?path=" +
		url.QueryEscape(`\\PIServer[PI-β]`), "/" + list.Items[0].WebID} {
		var one server
		ask(s, "GET", "/dataservers"+path, "").into(t, &one)
		require.Equal(t, list.Items[0], one, path)
	}
	require.JSONEq(t, `{"Links":{},"Items":[]}`, string(get(s, "/assetservers").body))
}

func TestPointsOfAMillion(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 9, Tags: 1_000_000})
	server := serverID(t, s)
	page := func(query string) (list []point) {
		var got struct{ Items []point }
		get(s, "/dataservers/%s/points?%s", server, query).into(t, &got)
		return got.Items
	}
	require.Len(t, page(""), 1000, "the default maxCount")
	require.Len(t, page("startIndex=999990"), 10)
	require.Empty(t, page("startIndex=1000000"))
	last := page("startIndex=999999&maxCount=5")[0]
	require.EqualValues(t, 1_000_000, last.ID)
	for _, id := range []string{last.WebID, s.Oracle().WebID(999_999, simulator.IDOnly), s.Oracle().WebID(999_999, simulator.PathOnly)} {
		var one point
		get(s, "/points/%s", id).into(t, &one)
		require.Equal(t, last, one)
	}
	require.Equal(t, []point{last}, page("nameFilter="+url.QueryEscape(strings.ToLower(last.Name))))
	require.Equal(t, []point{last}, page("nameFilter="+url.QueryEscape("*0999999.P?")))
	require.Empty(t, page("nameFilter=nope*"))
}

func TestWebIDsAreAsDocumented(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 3})
	require.NoError(t, s.RenameTag(s.Oracle().Tags()[1].Name, "sinusoid"))
	require.Equal(t, "P1DPUElTUlYxXFNJTlVTT0lE", s.Oracle().WebID(1, simulator.PathOnly))
	full, id := s.Oracle().WebID(1, simulator.Full), s.Oracle().WebID(1, simulator.IDOnly)
	require.Equal(t, "F"+id[1:], full[:32])
	require.Equal(t, "AgAAAA", id[26:], "point id 2, little-endian")
	require.Equal(t, "UElTUlYxXFNJTlVTT0lE", full[32:])
}

func TestPointKeysAndSelectedFields(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 30})
	raw := string(get(s, "/dataservers/%s/points?maxCount=1", serverID(t, s)).body)
	at := -1
	for key := range strings.SplitSeq("WebId,Id,Name,Path,Descriptor,PointClass,PointType,DigitalSetName,EngineeringUnits,Span,Zero,"+
		"Step,Future,DisplayDigits,Links", ",") {
		next := strings.LastIndex(raw, `"`+key+`":`)
		require.Greater(t, next, at, key)
		at = next
	}
	a := get(s, "/dataservers/%s/points?startIndex=3&maxCount=1&selectedFields=items.name;Items.Links.Self;Nope", serverID(t, s))
	var page struct{ Items []map[string]json.RawMessage }
	a.into(t, &page)
	require.NotContains(t, string(a.body), `"Links":{}`)
	require.ElementsMatch(t, []string{"Name", "Links"}, slices.Collect(maps.Keys(page.Items[0])))
	require.NotContains(t, string(page.Items[0]["Links"]), "Value")

	id := s.Oracle().Tags()[0].WebID
	a = get(s, "/streams/%s/recorded?maxCount=2&startTime=*-7d&selectedFields=Items.Value;Items.Good", id)
	var items struct{ Items []map[string]json.RawMessage }
	a.into(t, &items)
	for _, item := range items.Items {
		require.ElementsMatch(t, []string{"Value", "Good"}, slices.Collect(maps.Keys(item)))
	}
	for _, fields := range []string{"Items.Timestamp", "Items.Errors", "Items.Good", "Items.Nope"} {
		require.True(t, json.Valid(get(s, "/streams/%s/recorded?startTime=*-7d&selectedFields=%s", id, fields).body), fields)
	}
}

func TestPointDetails(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 70})
	tags := s.Oracle().Tags()
	for _, tag := range tags {
		var p point
		get(s, "/points?path=%s", url.QueryEscape(`\\pisrv1\`+strings.ToLower(tag.Name))).into(t, &p)
		require.Equal(t, tag.WebID, p.WebID)
		var attributes struct {
			Items []struct {
				Name  string
				Value any
			}
		}
		get(s, "/points/%s/attributes?name=pointid&name=engunits&name=tag", tag.WebID).into(t, &attributes)
		require.Len(t, attributes.Items, 3)
		for _, a := range attributes.Items {
			require.Contains(t, []any{float64(tag.PointID), tag.Units, tag.Name}, a.Value)
		}
	}
	type multiple struct {
		Items []struct {
			Identifier, IdentifierType string
			Object                     *point
			Exception                  *struct{ Errors []string }
		}
	}
	var m multiple
	a := get(s, "/points/multiple?webId=%s&path=%s", tags[1].WebID, url.QueryEscape(`\\PISRV1\`+tags[2].Name))
	require.Equal(t, 200, a.status)
	a.into(t, &m)
	require.Equal(t, tags[1].Name, m.Items[0].Object.Name)
	require.Equal(t, "Path", m.Items[1].IdentifierType)
	require.Equal(t, tags[2].Name, m.Items[1].Object.Name)
	a = get(s, "/points/multiple?webId=%s&webId=x", tags[1].WebID)
	require.Equal(t, 207, a.status)
	m = multiple{}
	a.into(t, &m)
	require.Nil(t, m.Items[1].Object)
	require.Contains(t, m.Items[1].Exception.Errors[0], "Unknown or invalid WebID format")

	seen := map[string]bool{}
	for _, tag := range tags {
		seen[tag.Name[:1]] = true
	}
	require.Greater(t, len(seen), 8, "odd names")
	require.True(t, slices.ContainsFunc(tags, func(t simulator.Tag) bool { return len([]rune(t.Name)) == 400 }))
	require.True(t, slices.ContainsFunc(tags, func(t simulator.Tag) bool { return strings.Contains(t.Descriptor, ",") }))
}

func TestDigitalSets(t *testing.T) {
	s := simulator.New(simulator.Options{Tags: 60})
	var sets struct {
		Items []struct {
			Name  string
			Links map[string]string
		}
	}
	get(s, "/dataservers/%s/enumerationsets", serverID(t, s)).into(t, &sets)
	states := map[string][]simulator.State{}
	for _, set := range sets.Items {
		var values struct{ Items []simulator.State }
		_, path, _ := strings.Cut(set.Links["Values"], simulator.Root)
		get(s, "%s", path).into(t, &values)
		require.Equal(t, s.Oracle().States(set.Name), values.Items)
		states[set.Name] = values.Items
		_, path, _ = strings.Cut(set.Links["Self"], simulator.Root)
		require.Contains(t, string(get(s, "%s", path).body), set.Name)
	}
	require.Contains(t, states, "SYSTEM")
	require.Nil(t, s.Oracle().States("none"))
	for _, tag := range s.Oracle().Tags() {
		if tag.PointType == simulator.Digital {
			require.NotEmpty(t, states[tag.DigitalSet], tag.DigitalSet)
			for _, e := range s.Oracle().Events(tag.Index, noon-instant.Hour, noon) {
				require.True(t, !e.HasCode || e.Code > 240 || slices.Contains(states[tag.DigitalSet], simulator.State{Name: e.Text, Value: e.Code}))
			}
		}
	}
}

// The rates: the mean asked for, or exactly one event in each interval.
func TestRates(t *testing.T) {
	hours := instant.Ticks(4)
	mean := func(o simulator.Options) float64 {
		oracle := simulator.NewOracle(o)
		n := 0
		for _, tag := range oracle.Tags() {
			n += oracle.Count(tag.Index, noon-hours*instant.Hour, noon)
		}
		return float64(n) / float64(o.Tags) / float64(hours)
	}
	plain := []simulator.Quirk{simulator.OneTimestampPage, simulator.DuplicateTimestamps}
	require.InEpsilon(t, 146, mean(simulator.Options{Tags: 200, WithoutQuirks: plain}), 0.15)
	require.InEpsilon(t, 50, mean(simulator.Options{Tags: 500, EventsPerHour: 50, WithoutQuirks: plain}), 0.15)
	expected := 0.0
	o := simulator.Options{Seed: 8, Tags: 500, EventsPerHour: 50}
	for _, tag := range simulator.NewOracle(o).Tags() {
		expected += tag.EventsPerHour / 500
	}
	require.InEpsilon(t, expected, mean(o), 0.15)
	uniform := simulator.NewOracle(simulator.Options{Tags: 10, Uniform: time.Second})
	for i := range 10 {
		require.Equal(t, 3600, uniform.Count(i, noon-instant.Hour-1, noon-1))
	}
}

func TestValuesAndRanges(t *testing.T) {
	now := noon
	s := simulator.New(simulator.Options{Seed: 4, Tags: 120, Clock: func() instant.Ticks { return now }})
	oracle, client := s.Oracle(), naive{t, s}
	for i, p := range client.points(1000) {
		tag := oracle.Tags()[i]
		since := noon - instant.Day
		if tag.EventsPerHour < 1 {
			since = 0
		}
		events := oracle.Events(i, since, noon)
		last := events[len(events)-1]
		var v timedValue
		get(s, "/streams/%s/value", tag.WebID).into(t, &v)
		require.True(t, same(last, client.event(p, v)), "the value is the last event: %+v", v)
		get(s, "/streams/%s/end", tag.WebID).into(t, &v)
		end := client.event(p, v)
		if tag.Future && tag.EventsPerHour > 10 {
			require.Greater(t, end.Ticks, now)
		} else if !tag.Future {
			require.True(t, same(last, end))
		}
	}
	busy := tag(t, s, func(tag simulator.Tag) bool { return lively(tag) && !tag.Future })
	forth, _, _ := recorded(t, s, busy.WebID, 5, "")
	var back struct{ Items []timedValue }
	get(s, "/streams/%s/recorded?startTime=*&endTime=*-5h", busy.WebID).into(t, &back)
	slices.Reverse(back.Items)
	require.Equal(t, forth, back.Items)

	// Nothing beyond now, until now has moved; future points go ahead.
	ahead := func(tag simulator.Tag) int {
		var page struct{ Items []timedValue }
		get(s, "/streams/%s/recorded?startTime=%s&endTime=%s", tag.WebID, noon+1, noon+instant.Hour).into(t, &page)
		return len(page.Items)
	}
	future := tag(t, s, func(tag simulator.Tag) bool { return tag.Future && tag.EventsPerHour > 10 })
	want := oracle.Count(busy.Index, noon, noon+instant.Hour)
	require.Positive(t, want)
	require.Zero(t, ahead(busy))
	require.Positive(t, ahead(future))
	now = noon + instant.Hour
	require.Equal(t, want, ahead(busy))

	var empty struct{ Items []timedValue }
	get(s, "/streams/%s/recorded?startTime=1990-01-01&endTime=1990-02-01T00:00:00%%2B02:00", busy.WebID).into(t, &empty)
	require.NotNil(t, empty.Items)
	require.Empty(t, empty.Items)
	var before timedValue
	get(s, "/streams/%s/value?time=1990-01-01", busy.WebID).into(t, &before)
	require.Contains(t, string(before.Value), "No Data")
}

func TestStreamSetsAreTheirStreams(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 4, Tags: 60, Clock: clock(noon)})
	tags := s.Oracle().Tags()
	for _, path := range []string{"value", "end", "recorded", "summary"} {
		query := "startTime=*-2h&endTime=*"
		if path == "summary" {
			query += "&summaryType=All&calculationBasis=EventWeighted"
		}
		var set struct{ Items []map[string]json.RawMessage }
		get(s, "/streamsets/%s?%s&%s", path, query, webIDs(tags...)).into(t, &set)
		require.Len(t, set.Items, len(tags))
		byID := map[string]map[string]json.RawMessage{}
		for _, item := range set.Items {
			var id string
			require.NoError(t, json.Unmarshal(item["WebId"], &id))
			byID[id] = item
		}
		for _, tag := range tags {
			a := get(s, "/streams/%s/%s?%s", tag.WebID, path, query)
			got := string(byID[tag.WebID]["Value"])
			if path == "recorded" || path == "summary" {
				var one map[string]json.RawMessage
				a.into(t, &one)
				require.Equal(t, string(one["Items"]), string(byID[tag.WebID]["Items"]))
			} else {
				require.Equal(t, string(a.body), got)
			}
			require.JSONEq(t, string(byID[tag.WebID]["Path"]), jsonString(`\\PISRV1\`+tag.Name))
		}
	}
}

func jsonString(s string) string {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return string(b)
}

func TestSummaries(t *testing.T) {
	s := simulator.New(simulator.Options{Seed: 4, Tags: 60, Clock: clock(noon)})
	busy := tag(t, s, func(tag simulator.Tag) bool { return lively(tag) && tag.PointType == simulator.Int32 })
	var n, total, low, high, good float64
	low, high = math.Inf(1), math.Inf(-1)
	numbers := 0.0
	for _, e := range s.Oracle().Events(busy.Index, noon-3*instant.Hour-1, noon) {
		n++
		if e.Good {
			good++
		}
		if e.Good && e.HasValue {
			numbers++
			total, low, high = total+e.Value, min(low, e.Value), max(high, e.Value)
		}
	}
	var sum struct {
		Items []struct {
			Type  string
			Value struct {
				Value any
				Good  bool
			}
		}
	}
	read := func(id, basis string) map[string]any {
		sum.Items = nil
		get(s, "/streams/%s/summary?startTime=*-3h&summaryType=all&calculationBasis=%s", id, basis).into(t, &sum)
		values := map[string]any{}
		for _, item := range sum.Items {
			values[item.Type] = item.Value.Value
		}
		return values
	}
	values := read(busy.WebID, "EventWeighted")
	require.Equal(t, map[string]any{"Count": n, "Total": total, "Average": total / numbers, "Minimum": low, "Maximum": high,
		"Range": high - low, "PercentGood": 100 * good / n}, values)
	values = read(busy.WebID, "TimeWeighted")
	require.InDelta(t, 3*3600, values["Count"], 600, "seconds, not events")
	quiet := tag(t, s, func(tag simulator.Tag) bool { return tag.EventsPerHour == 0 })
	values = read(quiet.WebID, "EventWeighted")
	require.Equal(t, 0.0, values["Count"])
	require.Contains(t, fmt.Sprint(values["Average"]), "No Data")
}
