package localrun

import (
	"fmt"
	"regexp"
	"strings"
)

var reference = regexp.MustCompile(`\{\{\s*([a-zA-Z0-9_.]+)\s*\}\}`)

// resolve puts values in the place of dynamic references such as
// {{job.parameters.until_ms}}, as a run of the job would.
func resolve(text string, values map[string]string) (string, error) {
	var unknown []string
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := reference.FindStringSubmatch(ref)[1]
		value, ok := values[name]
		if !ok {
			unknown = append(unknown, ref)
		}
		return value
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("%q: a local run has no value for %s", text, strings.Join(unknown, ", "))
	}
	return out, nil
}
