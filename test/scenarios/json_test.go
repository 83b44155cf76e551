package scenarios_test

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// jsonWord wants what was printed last to be one JSON value and nothing more, and
// values in it: PATH is keys and indices with dots between, length is that of a
// list, and VALUE is a text or compact JSON.
//
//	json PATH VALUE...
func jsonWord(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "json PATH VALUE...")
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var document any
	ts.Check(decoder.Decode(&document))
	if _, err := decoder.Token(); err != io.EOF {
		ts.Fatalf("something stands behind the JSON value: %v", err)
	}
	for i := 0; i+1 < len(args); i += 2 {
		got, text := valueAt(ts, document, args[i]), ""
		if s, ok := got.(string); ok {
			text = s
		} else {
			data, err := json.Marshal(got)
			ts.Check(err)
			text = string(data)
		}
		if text != args[i+1] {
			ts.Fatalf("%s is %s, not %s", args[i], text, args[i+1])
		}
	}
}

// valueAt returns what stands at a path.
func valueAt(ts *testscript.TestScript, value any, path string) any {
	for _, key := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				ts.Fatalf("%s: there is no %s in %v", path, key, v)
			}
			value = next
		case []any:
			if key == "length" {
				value = len(v)
				continue
			}
			n, err := strconv.Atoi(key)
			ts.Check(err)
			if n >= len(v) {
				ts.Fatalf("%s: the list has %d values", path, len(v))
			}
			value = v[n]
		default:
			ts.Fatalf("%s: %v is neither an object nor a list", path, value)
		}
	}
	return value
}
