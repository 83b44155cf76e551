package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatsTellWhatWasAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		var errs bytes.Buffer
		ended <- run(ctx, []string{"pi-simulator", "serve", "--tags", "3", "--stats"}, out, &errs)
	}()
	lines := bufio.NewReader(in)
	first, err := lines.ReadBytes('\n')
	require.NoError(t, err)
	var r ready
	require.NoError(t, json.Unmarshal(first, &r))
	for _, path := range []string{"/dataservers", "/dataservers", "/nowhere"} {
		response, err := http.Get(r.URL + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	last, err := lines.ReadBytes('\n')
	require.NoError(t, err)
	var c counted
	require.NoError(t, json.Unmarshal(last, &c))
	require.EqualValues(t, 3, c.Requests)
	require.EqualValues(t, 2, c.ByEndpoint["dataservers"])
	require.EqualValues(t, 2, c.ByStatus[http.StatusOK])
	require.EqualValues(t, 1, c.ByStatus[http.StatusNotFound])
	require.Zero(t, <-ended)
}
