package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// jsonPath evaluates paths such as $.id.Content.Items[*].WebId over the answers of a
// batch: names, ['names'], [3] and [*]. It returns all values, as text.
func jsonPath(path string, answers map[string]*batchAnswer) ([]string, error) {
	steps, err := splitPath(path)
	if err != nil {
		return nil, err
	}
	if len(steps) < 2 || !strings.EqualFold(steps[1], "Content") {
		return nil, fmt.Errorf("the parameter '%s' does not lead into the Content of a request", path)
	}
	a := answers[steps[0]]
	if a == nil {
		return nil, fmt.Errorf("the parameter '%s' leads to a request that is not among the parents", path)
	}
	if a.parsed == nil {
		if err := json.Unmarshal(a.content, &a.parsed); err != nil {
			return nil, fmt.Errorf("the parameter '%s' leads into a Content that is not JSON", path)
		}
	}
	found := []any{a.parsed}
	for _, step := range steps[2:] {
		var next []any
		for _, v := range found {
			next = append(next, follow(v, step)...)
		}
		found = next
	}
	texts := make([]string, 0, len(found))
	for _, v := range found {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case float64:
			texts = append(texts, strconv.FormatFloat(v, 'f', -1, 64))
		case bool:
			texts = append(texts, strconv.FormatBool(v))
		default:
			return nil, fmt.Errorf("the parameter '%s' leads to a value that is not simple", path)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("the parameter '%s' leads nowhere", path)
	}
	return texts, nil
}

// follow takes one step into a value.
func follow(v any, step string) []any {
	switch v := v.(type) {
	case map[string]any:
		if child, ok := v[step]; ok {
			return []any{child}
		}
	case []any:
		if step == "*" {
			return v
		}
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return v[i : i+1]
		}
	}
	return nil
}

// splitPath cuts a path into its steps.
func splitPath(path string) ([]string, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, fmt.Errorf("the parameter '%s' is not a JSONPath", path)
	}
	var steps []string
	for rest != "" {
		switch rest[0] {
		case '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			steps, rest = append(steps, rest[1:1+end]), rest[1+end:]
		case '[':
			inside, after, closed := strings.Cut(rest[1:], "]")
			if !closed {
				return nil, fmt.Errorf("the parameter '%s' is not a JSONPath", path)
			}
			steps, rest = append(steps, strings.Trim(inside, `'"`)), after
		default:
			return nil, fmt.Errorf("the parameter '%s' is not a JSONPath", path)
		}
	}
	return steps, nil
}
