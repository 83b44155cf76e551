package piwebapi_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/bundlegen/bundlegen/extractor/piwebapi"
)

// A list of the smallest items there are takes many times its size once it is
// decoded. Whatever a body of a few megabytes holds, reading it allocates little.
func TestBodiesDoNotGrowInMemory(t *testing.T) {
	const size, most = 15 << 20, 192 << 20
	list := func(item string) string {
		return `{"Items":[` + strings.Repeat(item+",", size/(len(item)+1)) + item + `]}`
	}
	long := strings.Repeat("x", 900<<10)
	wide := func() string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, `,"%d":0`, i)
		}
		return b.String()
	}
	servers := func(ctx context.Context, c *piwebapi.Client) error { _, err := c.DataServers(ctx); return err }
	lookup := func(ctx context.Context, c *piwebapi.Client) error {
		_, err := c.Lookup(ctx, aServer, []piwebapi.Wanted{{Name: "A"}, {Name: "B"}})
		return err
	}
	sets := func(ctx context.Context, c *piwebapi.Client) error { _, err := c.DigitalSets(ctx, aServer); return err }
	counts := func(ctx context.Context, c *piwebapi.Client) error { _, err := c.Counts(ctx, three()); return err }
	for name, c := range map[string]struct {
		path, body string
		call       func(context.Context, *piwebapi.Client) error
		want       string // of the error; "" is none
	}{
		"data servers":            {"/dataservers", list("{}"), servers, "it lists more than 1000 data servers"},
		"no data servers":         {"/dataservers", list("null"), servers, "it lists more than 1000 data servers"},
		"found points":            {"/points/multiple", list("{}"), lookup, ""},
		"a point of many members": {"/points", `{"Name":7` + wide() + `}`, lookup, ""},
		"digital sets":            {"/enumerationsets", list("{}"), sets, "larger than this program accepts"},
		"long names of sets":      {"/enumerationsets", list(`{"WebId":"a","Name":"` + long + `"}`), sets, ""},
		"states":                  {"/enumerationvalues", list(`{"Value":0}`), sets, ""},
		"long names of states":    {"/enumerationvalues", list(`{"Value":0,"Name":"` + long + `"}`), sets, ""},
		"counted streams":         {"/summary", list("{}")[:3<<20] + "{}]}", counts, ""},
		"counts of a stream":      {"/summary", `{"Items":[{"WebId":"I1DPa","Items":[` + list("{}")[10:3<<20] + `{}]}]}`, counts, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := client(t, &oddSite{odd: endsIn(c.path), status: 200, body: []byte(c.body)}, settings{attempts: 1, auth: "anonymous"})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := c.call(t.Context(), client)
				runtime.ReadMemStats(&after)
				allocated := after.TotalAlloc - before.TotalAlloc
				t.Logf("%d MB", allocated>>20)
				require.Less(t, allocated, uint64(most), "bytes")
				if c.want != "" {
					require.ErrorContains(t, err, c.want)
				} else {
					require.NoError(t, err)
				}
				for _, note := range client.Notes() {
					presentable(t, note)
					require.NotContains(t, note, "truncated")
				}
				client.Close()
			})
		})
	}
}
