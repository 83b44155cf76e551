package inventory_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

var (
	sites = []string{"plant-b", "plant-a"}
	tiers = []string{"critical", "standard", "bulk"}
	both  = inventory.Options{Sites: sites, Tiers: tiers}
)

// oddNames are names that a server may give.
var oddNames = []string{
	"SINUSOID", "a b", " leading and trailing ", "comma, inside", `quote "inside"`, `"`, `""`, `,`, "../../etc/passwd",
	strings.Repeat("x", 400), "emoji 🌡️", "Prüfstand;7", "=1+1", "'", "tab is none", "\u00a0", "\u00e9", "\u2028", "K", "#comment", "°C Â",
}

// anyTags draws tags of different points.
func anyTags(t *rapid.T) []inventory.Tag {
	text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom(oddNames), rapid.StringMatching(`[ -~°é]{0,12}`))
	tags := make([]inventory.Tag, rapid.IntRange(1, 40).Draw(t, "tags"))
	for i := range tags {
		tags[i] = inventory.Tag{
			Site:          rapid.SampledFrom(sites).Draw(t, "site"),
			Name:          fmt.Sprintf("%s#%d", text.Draw(t, "name"), i),
			WebID:         text.Draw(t, "web id"),
			PointType:     text.Draw(t, "type"),
			Units:         text.Draw(t, "units"),
			DigitalSet:    text.Draw(t, "set"),
			Descriptor:    text.Draw(t, "descriptor"),
			Tier:          rapid.SampledFrom(tiers).Draw(t, "tier"),
			EventsPerHour: rapid.OneOf(rapid.Just(-1.0), rapid.Just(0.0), rapid.Float64Range(0, inventory.MaxEventsPerHour)).Draw(t, "rate"),
			Future:        rapid.Bool().Draw(t, "future"),
		}
		if rapid.Bool().Draw(t, "known") {
			tags[i].PointID = int64(i + 1)
		}
	}
	return tags
}

// inOrder sorts tags as Read does.
func inOrder(tags []inventory.Tag) []inventory.Tag {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b inventory.Tag) int {
		return slices.CompareFunc(rank(a), rank(b), strings.Compare)
	})
	return tags
}

func rank(t inventory.Tag) []string {
	return []string{fmt.Sprint(slices.Index(sites, t.Site)), t.Name, fmt.Sprintf("%20d", t.PointID)}
}

func written(t require.TestingT, tags []inventory.Tag) string {
	var b bytes.Buffer
	require.NoError(t, inventory.Write(&b, tags))
	return b.String()
}

func TestWriteThenReadIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := anyTags(t)
		text := written(t, tags)
		if rapid.Bool().Draw(t, "bom") {
			text = "\ufeff" + text
		}
		if rapid.Bool().Draw(t, "crlf") {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		if rapid.Bool().Draw(t, "last line break is missing") {
			text = strings.TrimRight(text, "\r\n")
		}
		got, err := inventory.Read(strings.NewReader(text), "inventory.csv", both)
		require.NoError(t, err)
		require.Equal(t, inOrder(tags), got)
	})
}

// What Write writes is what encoding/csv reads, and the other way round.
func TestSameAsEncodingCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := inOrder(anyTags(t))
		rows, err := csv.NewReader(strings.NewReader(written(t, tags))).ReadAll()
		require.NoError(t, err)
		require.Equal(t, strings.Split(inventory.Header, ","), rows[0])
		for i, row := range rows[1:] {
			tag := tags[i]
			require.Equal(t, []string{tag.Site, tag.Name, tag.WebID, tag.PointType, tag.Units, tag.DigitalSet, tag.Descriptor, tag.Tier}, row[:8])
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		require.NoError(t, w.WriteAll(rows))
		got, err := inventory.Parse(b.String(), "", both)
		require.NoError(t, err)
		require.Equal(t, tags, got)
	})
}

func TestOrderOfRowsAndColumnsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := anyTags(t)
		rows, err := csv.NewReader(strings.NewReader(written(t, rapid.Permutation(tags).Draw(t, "rows")))).ReadAll()
		require.NoError(t, err)
		columns := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}).Draw(t, "columns")
		for i, row := range rows {
			moved := make([]string, len(columns))
			for k, c := range columns {
				moved[k] = row[c]
			}
			rows[i] = moved
		}
		var b bytes.Buffer
		require.NoError(t, csv.NewWriter(&b).WriteAll(rows))
		got, err := inventory.Parse(b.String(), "", both)
		require.NoError(t, err)
		require.Equal(t, inOrder(tags), got)
	})
}

func TestDefaults(t *testing.T) {
	one := inventory.Options{Sites: []string{"plant-a"}, Tiers: tiers}
	got, err := inventory.Parse("tag\nB\nA\n", "", one)
	require.NoError(t, err)
	require.Equal(t, []inventory.Tag{
		{Site: "plant-a", Name: "A", Tier: "critical", EventsPerHour: -1},
		{Site: "plant-a", Name: "B", Tier: "critical", EventsPerHour: -1},
	}, got)

	got, err = inventory.Parse("\n\r\ntier,site,tag,future,events_per_hour,point_id\n\n,,A,FALSE,1e3,0\nbulk,plant-a,B,TRUE,,7\n\r\n", "", one)
	require.NoError(t, err)
	require.Equal(t, []inventory.Tag{
		{Site: "plant-a", Name: "A", Tier: "critical", EventsPerHour: 1000},
		{Site: "plant-a", Name: "B", Tier: "bulk", EventsPerHour: -1, Future: true, PointID: 7},
	}, got)

	got, err = inventory.Parse("tag,site,tier\nA,z,q\nA,y,\nB,y,p\n", "", inventory.Options{})
	require.NoError(t, err)
	require.Equal(t, []inventory.Tag{
		{Site: "y", Name: "A", EventsPerHour: -1},
		{Site: "y", Name: "B", Tier: "p", EventsPerHour: -1},
		{Site: "z", Name: "A", Tier: "q", EventsPerHour: -1},
	}, got, "without options any name may occur, in bytewise order")
}

func TestMistakes(t *testing.T) {
	oneSite := inventory.Options{Sites: []string{"plant-a"}, Tiers: []string{"standard"}}
	for name, c := range map[string]struct {
		text string
		opt  inventory.Options
		want string
	}{
		"empty file": {"", both, `f.csv:1:1: the file is empty
hint: the first line names the columns: ` + inventory.Header},
		"only a BOM":      {"\ufeff\r\n", both, "f.csv:1:1: the file is empty"},
		"header only":     {"tag\r\n", oneSite, "f.csv:2:1: no tags: nothing follows the header\nhint: run `bundlegen discover`, or write a row for each tag"},
		"empty lines":     {"tag\n\n\n", oneSite, "f.csv:2:1: no tags"},
		"no tag column":   {"site,tier\nplant-a,standard\n", oneSite, "f.csv:1:1: the header lacks the column tag; it has \"site, tier\"\nhint: the first line names the columns"},
		"no site column":  {"tag\nA\n", both, "f.csv:1:1: the header lacks the column site, which a pipeline of 2 sites needs\nhint: add it, with one of these in each row: plant-b, plant-a"},
		"name for tag":    {"name,tier\nA,x\n", oneSite, "it has \"name, tier\"\nhint: did you mean tag where it says \"name\"?"},
		"bars":            {"tag|site|tier\nA|x|y\n", oneSite, "the header lacks the column tag; it has \"tag|site|tier\""},
		"column twice":    {"tag,tag\nA,B\n", oneSite, "f.csv:1:5: column tag is there twice\nhint: leave one of them out"},
		"bad header":      {"tag,\"site\nA,B\n", oneSite, "f.csv:1:5: quotes that are not closed on their line"},
		"too few fields":  {"tag,tier,future\nA,standard,\nB,standard\n", oneSite, "f.csv:3:3: a row of 2 fields, the header has 3: \"B,standard\"\nhint: every row has all columns, empty ones too: leave no comma out"},
		"too many fields": {"tag,tier\nü, comma,standard\n", oneSite, "f.csv:2:10: a row of 3 fields, the header has 2: \"ü, comma,standard\"\nhint: put a value that contains a comma in quotes: \"a, b\""},
		"same name":       {"tag\nA\nB\nA\n", oneSite, "f.csv:4:1: tag \"A\" of site \"plant-a\" is there twice, first in line 2\nhint: leave one of the two rows out"},
		"same but case":   {"tag\nPrüf-k\n\nPRÜF-\u212a\n", oneSite, "f.csv:4:1: tag \"PRÜF-\u212a\" of site \"plant-a\" is there twice, first in line 2\nhint: to PI, which does not tell upper from lower case, it is \"Prüf-k\": leave one of the two rows out"},
		"two tiers":       {"tag,tier,site\nA,bulk,plant-a\nA,standard,plant-a\n", both, "f.csv:3:1: tag \"A\" of site \"plant-a\" is there twice"},
		"same id":         {"tag,point_id\nA,7\nB,7\n", oneSite, "f.csv:3:1: point_id 7 of site \"plant-a\" is there twice, first in line 2\nhint: it is the id of tag \"A\" there, and of \"B\" here"},
		"no site known":   {"tag\nA\nA\n", inventory.Options{}, "f.csv:3:1: tag \"A\" is there twice, first in line 2"},
		"tab":             {"tag,tier\nA\tB,standard\n", oneSite, "f.csv:2:2: control character U+0009\nhint: remove it; any other character is allowed in a name"},
		"nul":             {"tag\nA\n\"B\x00\"\n", oneSite, "f.csv:3:3: control character U+0000"},
		"C1":              {"tag\né\u0085\n", oneSite, "f.csv:2:2: control character U+0085"},
		"DEL":             {"tag\n\x7f\n", oneSite, "f.csv:2:1: control character U+007F"},
		"old Mac":         {"tag\rA\rB\r", oneSite, `hint: lines end in \n or \r\n; save the file again with one of these`},
		"open quotes":     {"tag\n\"A\nB\"\nC\nA\nA\n", oneSite, "f.csv:2:1: quotes that are not closed on their line: \"\\\"A\"\nhint: close them; a line break is a control character, which no value may contain\nf.csv:6:1: tag \"A\""},
		"never closed":    {"tag\n\"A\nB\nC\n", oneSite, "f.csv:2:1: quotes that are not closed on their line"},
		"quote inside":    {"tag\nA\"B\n", oneSite, "f.csv:2:2: a quote inside a field that is not quoted: \"A\\\"\"\nhint: put the field in quotes and double the quotes within: \"a \"\"b\"\" c\""},
		"after quotes":    {"tag\n\"A\"B\n", oneSite, "f.csv:2:4: text after closing quotes: \"B\"\nhint: a comma or the end of the line has to follow"},
		"not UTF-8":       {"tag\nA\nü\xfcber\n", oneSite, "f.csv:3:2: byte 0xFC is not UTF-8\nhint: save it as UTF-8 (in Excel: CSV UTF-8)"},
		"UTF-16":          {"\xff\xfet\x00a\x00g\x00", oneSite, "f.csv:1:1: the file is UTF-16; allowed is UTF-8"},
		"unknown site":    {"tag,site\nA,plant_a\n", both, "f.csv:2:3: unknown site \"plant_a\"; allowed: plant-b, plant-a\nhint: did you mean plant-a?"},
		"empty site":      {"tag,site\nA,\n", both, "f.csv:2:3: unknown site \"\"; allowed: plant-b, plant-a\nhint: write in each row which one it belongs to"},
		"unknown tier":    {"tag,tier\nA,weekly\n", oneSite, "f.csv:2:3: unknown tier \"weekly\"; allowed: standard\nhint: use one of these, or add it to pipeline.yml"},
		"no name":         {"tag,tier\n,standard\n", oneSite, "f.csv:2:1: tag is \"\"; allowed: any name but an empty one\nhint: write the name as PI has it"},
		"bad future":      {"tag,future\nA,yes\n", oneSite, "f.csv:2:3: future is \"yes\"; allowed: true, false or nothing\nhint: true is for points that may hold data beyond now"},
		"all of a row":    {"tag,future,point_id,tier\nA,yes,x,weekly\n", oneSite, "f.csv:2:3: future is \"yes\"; allowed: true, false or nothing\nhint: true is for points that may hold data beyond now\nf.csv:2:7: point_id is \"x\"; allowed: a whole number of at least 1, or nothing\nhint: leave it empty: `bundlegen discover` fills it in\nf.csv:2:9: unknown tier"},
	} {
		_, err := inventory.Read(strings.NewReader(c.text), "f.csv", c.opt)
		var problems *diag.List
		require.ErrorAs(t, err, &problems, name)
		require.Contains(t, err.Error(), c.want, name)
	}
	const byHand, tooMany = "write it like 3600 or 0.5; leave it empty where it is not known", "it is events an hour, and no point sends 10000 a second; leave it empty where it is not known"
	for value, hint := range map[string]string{
		"-1": byHand, "-0": byHand, "NaN": byHand, "nan": byHand, "0x10": byHand, "1_000": byHand, "1 000": byHand, "fast": byHand, "1e": byHand, "\"1,5\"": byHand,
		"Inf": tooMany, "1e9": tooMany, "1e12": tooMany, "36000000.1": tooMany,
	} {
		_, err := inventory.Parse("tag,events_per_hour\nA,"+value+"\n", "f.csv", oneSite)
		require.ErrorContains(t, err, "f.csv:2:3: events_per_hour is ", value)
		require.ErrorContains(t, err, "; allowed: a number from 0 to 36000000, or nothing\nhint: "+hint, value)
	}
	for _, value := range []string{"-1", "1.5", "9223372036854775808", "x", "1_0"} {
		_, err := inventory.Parse("tag,point_id\nA,"+value+"\n", "f.csv", oneSite)
		require.ErrorContains(t, err, "f.csv:2:3: point_id is ", value)
	}
}

func TestManyMistakes(t *testing.T) {
	_, err := inventory.Parse("tag,future\n"+strings.Repeat("A,x\n", 100)+"B,\nB,\n", "f.csv", inventory.Options{})
	var problems *diag.List
	require.Equal(t, `f.csv:2:3: future is "x"; allowed: true, false or nothing (and in 99 more lines: 3, 4, 5, 6, 7, …)
hint: true is for points that may hold data beyond now
f.csv:103:1: tag "B" is there twice, first in line 102
hint: leave one of the two rows out`, err.Error())

	_, err = inventory.Parse("tag,tier\nA,gold\nB,standard\nC,gold\nD,standard,\nE,\"\n", "f.csv", inventory.Options{Tiers: tiers})
	require.Equal(t, `f.csv:2:3: unknown tier "gold"; allowed: critical, standard, bulk (and in line 4)
hint: use one of these, or add it to pipeline.yml
f.csv:5:12: a row of 3 fields, the header has 2: "D,standard,"
hint: put a value that contains a comma in quotes: "a, b"
f.csv:6:3: quotes that are not closed on their line: "\""
hint: close them; a line break is a control character, which no value may contain`, err.Error())

	var differing strings.Builder
	for i := range 100 {
		fmt.Fprintf(&differing, "A%d,x%d\n", i, i)
	}
	_, err = inventory.Parse("tag,future\n"+differing.String(), "f.csv", inventory.Options{})
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems.Problems, 10)
	require.Equal(t, 90, problems.More)
	require.True(t, strings.HasSuffix(err.Error(), "\nand 90 more"))

	long := strings.Repeat("ü", 100_000)
	_, err = inventory.Parse("tag\n"+long+","+long+"\n", "f.csv", inventory.Options{})
	require.Less(t, len(err.Error()), 500, "long values are cut")
}

// Files as spreadsheets and people write them: separated by semicolons or tabs,
// with decimal commas, a byte order mark, columns of their own. They are read, and
// written again in the same way.
func TestFormats(t *testing.T) {
	opt := inventory.Options{Sites: []string{"plant-a"}, Tiers: tiers}
	const wantRows = "plant-a;\"B;2\";;;;;;critical;1200;true;7;\"y; z\"\nplant-a;A,1;;;;;;bulk;0,5;;;x\n"
	for name, text := range map[string]string{
		"a German Excel":  "\ufeffTag;Tier;events_per_hour;Bereich;future;point_id\r\nA,1;bulk;0,5;x;;\r\n\"B;2\";;1200;\"y; z\";WAHR;7\r\n",
		"the same by tab": "\ufefftag\ttier\tevents_per_hour\tBereich\tfuture\tpoint_id\nA,1\tbulk\t0,5\tx\t\t\nB;2\t\t1200\ty; z\tTRUE\t7\n",
		"by comma":        "tag,tier,events_per_hour,Bereich,future,point_id\n\"A,1\",bulk,0.5,x,,\nB;2,,1200,y; z,TRUE,7\n",
	} {
		text = strings.Replace(text, "WAHR", "TRUE", 1)
		f, err := inventory.ReadFile(strings.NewReader(text), "f.csv", opt)
		require.NoError(t, err, name)
		require.Equal(t, []inventory.Tag{
			{Site: "plant-a", Name: "A,1", Tier: "bulk", EventsPerHour: 0.5},
			{Site: "plant-a", Name: "B;2", Tier: "critical", EventsPerHour: 1200, Future: true, PointID: 7},
		}, f.Tags, name)
		require.Equal(t, []string{"Bereich"}, f.Columns, name)
		require.Equal(t, [][]string{{"x"}, {"y; z"}}, f.Others, name)
		slices.Reverse(f.Tags)
		slices.Reverse(f.Others)
		var b bytes.Buffer
		require.NoError(t, inventory.WriteFile(&b, f))
		again, err := inventory.ReadFile(bytes.NewReader(b.Bytes()), "f.csv", opt)
		require.NoError(t, err, name)
		require.Equal(t, f.Format, again.Format, name)
		require.Equal(t, f.Others[0], again.Others[1], name)
		if name == "a German Excel" {
			require.Equal(t, "\ufeff"+strings.ReplaceAll(inventory.Header, ",", ";")+";Bereich\n"+wantRows, b.String())
		}
	}
	f, err := inventory.ReadFile(strings.NewReader("TAG, teir ,tier ist,comment,comment,,\nA,b,,c,d,,\n"), "f.csv", opt)
	require.NoError(t, err, "columns of others may be called anything")
	require.Equal(t, []string{" teir ", "tier ist", "comment", "comment", "", ""}, f.Columns)
	require.Equal(t, [][]string{{"b", "", "c", "d", "", ""}}, f.Others)
	require.Equal(t, []string{`column " teir " is kept and not used: did you mean tier?`}, f.Notes)

	_, err = inventory.Parse("tag;events_per_hour\nA;1.234,5\n", "f.csv", opt)
	require.ErrorContains(t, err, `f.csv:2:3: events_per_hour is "1.234,5"; allowed: a number`)
	_, err = inventory.Parse("tag;tier\nA\n", "f.csv", opt)
	require.ErrorContains(t, err, "leave no semicolon out")
}

// TestTierOf: rows without a tier ask for theirs.
func TestTierOf(t *testing.T) {
	got, err := inventory.Parse("tag,tier\nA.PV,\nB,\nC.PV,critical\n", "f.csv", inventory.Options{Sites: []string{"s"}, Tiers: tiers, TierOf: func(tag string) string {
		if strings.HasSuffix(tag, ".PV") {
			return "bulk"
		}
		return "standard"
	}})
	require.NoError(t, err)
	require.Equal(t, []inventory.Tag{
		{Site: "s", Name: "A.PV", Tier: "bulk", EventsPerHour: -1},
		{Site: "s", Name: "B", Tier: "standard", EventsPerHour: -1},
		{Site: "s", Name: "C.PV", Tier: "critical", EventsPerHour: -1},
	}, got)
}

// endless is a reader of one text, over and over.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e.text) <= len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}

// TestBounds: what is no inventory is told from one before memory runs out.
func TestBounds(t *testing.T) {
	for name, c := range map[string]struct {
		r    io.Reader
		want string
	}{
		"zeros":            {endless{"\x00"}, "f.csv:1:1: a line of more than 1 MiB"},
		"line breaks":      {endless{"\n"}, "f.csv:1:1: the file is empty"},
		"an open quote":    {io.MultiReader(strings.NewReader("tag\nA\n\""), endless{"x"}), "f.csv:3:1: a line of more than 1 MiB"},
		"a wide header":    {io.MultiReader(strings.NewReader("tag"), strings.NewReader(strings.Repeat(",c", 100_000)+"\n"), endless{"x\n"}), "f.csv:1:1: a header of 100001 columns; allowed: at most 1000"},
		"a wide German":    {io.MultiReader(strings.NewReader("tag"), strings.NewReader(strings.Repeat(";c", 100_000)+"\n"), endless{"x\n"}), "f.csv:1:1: a header of 100001 columns; allowed: at most 1000"},
		"no tags at all":   {io.MultiReader(strings.NewReader("when,what\n"), endless{"1,2\n"}), "f.csv:1:1: the header lacks the column tag"},
		"UTF-16":           {io.MultiReader(strings.NewReader("\xff\xfet\x00a\x00g\x00\n\x00"), endless{"x\x00"}), "f.csv:1:1: the file is UTF-16"},
		"too many lines":   {strings.NewReader("tag\n" + strings.Repeat("\n", 10_000_001)), "f.csv:1:1: 10000001 lines; allowed: at most 10000000 tags"},
		"a long last line": {io.MultiReader(strings.NewReader("tag\nA\n"), strings.NewReader(strings.Repeat("x", 2<<20))), "f.csv:3:1: a line of more than 1 MiB"},
	} {
		_, err := inventory.Read(c.r, "f.csv", inventory.Options{})
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "\nhint: ", name)
	}
}

// Large files are read in pieces side by side; nothing may depend on where they are cut.
func TestLargeFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tags := manyTags(40_000)
	r.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	text := written(t, tags)
	require.Greater(t, len(text), 2<<20)
	got, err := inventory.Parse(text, "", both)
	require.NoError(t, err)
	require.Equal(t, inOrder(tags), got)

	lines := strings.SplitAfter(text, "\n")
	for i := 1; i < len(lines); i += r.IntN(10) + 1 {
		lines[i] = "\n" + lines[i]
	}
	got, err = inventory.Parse(strings.Join(lines, ""), "", both)
	require.NoError(t, err)
	require.Equal(t, inOrder(tags), got, "empty lines make gaps")

	for _, c := range []struct {
		text, want string
	}{
		{text + tags[17].Site + ",UNIT", fmt.Sprintf("f.csv:%d:9: a row of 2 fields", len(tags)+2)},
		{text + string(inventory.AppendRow(nil, &tags[17])), fmt.Sprintf("f.csv:%d:1: tag %q of site %q is there twice, first in line 19", len(tags)+2, tags[17].Name, tags[17].Site)},
		{text + "\xff", fmt.Sprintf("f.csv:%d:1: byte 0xFF is not UTF-8", len(tags)+2)},
		{strings.Replace(text, ",standard,", ",slow,", 1), "unknown tier \"slow\""},
	} {
		_, err := inventory.Parse(c.text, "f.csv", both)
		require.ErrorContains(t, err, c.want)
	}
}

// manyTags makes tags as plants have them, in order.
func manyTags(n int) []inventory.Tag {
	tags := make([]inventory.Tag, n)
	for i := range tags {
		tags[i] = inventory.Tag{
			Site:          sites[i*len(sites)/n],
			Name:          fmt.Sprintf("UNIT%02d.AREA-%03d:FIC%07d.PV", i*50/n, i*500/n, i),
			PointType:     []string{"Float32", "Digital", "Int32", "String"}[i%4],
			Units:         "m3/h",
			Descriptor:    "Flow of feed water, before the pump",
			Tier:          "standard",
			EventsPerHour: float64(i % 3600),
			PointID:       int64(i + 1),
		}
	}
	return tags
}

func TestReadReturnsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	_, err := inventory.Read(io.MultiReader(strings.NewReader("tag\nA\n"), iotest.ErrReader(broken)), "f.csv", inventory.Options{})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "f.csv: ")

	got, err := inventory.Read(iotest.DataErrReader(strings.NewReader("tag\nA")), "f.csv", inventory.Options{})
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func TestWrite(t *testing.T) {
	require.Equal(t, inventory.Header+"\n"+
		`plant-a,"a, ""b""",W,Float32,°C,,x y,bulk,0.1,true,7`+"\n"+
		`,../é,,,,,,,0,,`+"\n"+
		`, ,,,,,,,,,`+"\n",
		written(t, []inventory.Tag{
			{Site: "plant-a", Name: `a, "b"`, WebID: "W", PointType: "Float32", Units: "°C", Descriptor: "x y", Tier: "bulk", EventsPerHour: 0.1, Future: true, PointID: 7},
			{Name: "../é"},
			{Name: " ", EventsPerHour: -1},
		}))
	var b bytes.Buffer
	for want, tag := range map[string]inventory.Tag{
		"no name":             {Site: "s"},
		"descriptor":          {Name: "n", Descriptor: "a\tb"},
		"tag is \"a\\nb\"":    {Name: "a\nb"},
		"engineering_units":   {Name: "n", Units: "\xb0C"},
		"web_id":              {Name: "n", WebID: "\u0085"},
		"events per hour":     {Name: "n", EventsPerHour: 1e12},
		"point id -1":         {Name: "n", PointID: -1},
		"tag \"n\": tier is ": {Name: "n", Tier: "\x7f"},
	} {
		require.ErrorContains(t, inventory.Write(&b, []inventory.Tag{{Name: "fine"}, tag}), want)
		require.Zero(t, b.Len(), "nothing is written")
	}
	full := errors.New("disk full")
	require.ErrorIs(t, inventory.Write(failing{full}, manyTags(10_000)), full)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\x00-\x{a5}]{0,9}`),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		c := inventory.Clean(s)
		require.NoError(t, inventory.Check(&inventory.Tag{Name: "n", Descriptor: c}))
		require.Equal(t, c, inventory.Clean(c))
		if inventory.Check(&inventory.Tag{Name: "n", Descriptor: s}) == nil {
			require.Equal(t, s, c, "what is fine stays")
		}
	})
	require.Equal(t, "m /h ", inventory.Clean("m\u0085/h\n"))
}
