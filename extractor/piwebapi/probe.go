package piwebapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// Probe makes one request and returns its answer, a JSON object of up to 1 MB. path is
// below the site's URL, query as it is sent. It is sent again only while the server
// throttles. It is for questions about the server itself; the error is an *Error.
func (c *Client) Probe(ctx context.Context, path, query string) (body json.RawMessage, head http.Header, err error) {
	failed := c.get(ctx, request{path: path, query: query, read: func(r io.Reader, h http.Header) error {
		head = h
		return readJSON(r, &body)
	}})
	if failed != nil {
		return nil, head, failed
	}
	return body, head, nil
}
