package spark

import (
	"context"
	"encoding/json"
	"io"
	"strings"
)

// Texts runs a statement and gives its rows as texts, null as "".
func Texts(ctx context.Context, s *Session, statement string) (out [][]string, err error) {
	err = s.sql(ctx, statement, nil, func(r row) error {
		texts := make([]string, len(r))
		for i, v := range r {
			switch text := string(v); {
			case text == "null":
			case strings.HasPrefix(text, `"`):
				if err := json.Unmarshal(v, &texts[i]); err != nil {
					return err
				}
			default:
				texts[i] = text
			}
		}
		out = append(out, texts)
		return nil
	})
	return out, err
}

// Through lets the session's requests go to another writer.
func (s *Session) Through(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = json.NewEncoder(w)
}

// Requests is the number of requests that a session has sent so far.
func Requests(s *Session) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}
