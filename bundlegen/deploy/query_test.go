package deploy

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/databricks/cli/libs/testserver"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
)

// warehouse makes the workspace answer statements: first that it works on it,
// then the first of two chunks, then the second.
func warehouse(s *testserver.Server) {
	s.Handle("POST", "/api/2.0/sql/statements", func(r testserver.Request) any {
		return sql.StatementResponse{StatementId: "s1", Status: &sql.StatementStatus{State: sql.StatementStatePending}}
	})
	s.Handle("GET", "/api/2.0/sql/statements/{statement_id}", func(r testserver.Request) any {
		return sql.StatementResponse{
			StatementId: "s1", Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}, Manifest: &sql.ResultManifest{TotalRowCount: 3},
			Result: &sql.ResultData{DataArray: [][]string{{"a", "1"}, {"b", ""}}, NextChunkIndex: 1},
		}
	})
	s.Handle("GET", "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", func(r testserver.Request) any {
		return sql.ResultData{ChunkIndex: 1, DataArray: [][]string{{"c", "3"}}}
	})
}

func TestQuery(t *testing.T) {
	f := newFake(t, warehouse)
	rows, err := CLI{}.Query(t.Context(), small(t), "prod", "abc", "SELECT 1")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a", "1"}, {"b", ""}, {"c", "3"}}, rows)
	sent := f.sent("POST", "/api/2.0/sql/statements")
	require.Len(t, sent, 1)
	var request sql.ExecuteStatementRequest
	require.NoError(t, json.Unmarshal(sent[0], &request))
	require.Equal(t, "abc", request.WarehouseId)
	require.Equal(t, "SELECT 1", request.Statement)
}

func TestQueryThatFails(t *testing.T) {
	newFake(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.0/sql/statements", func(r testserver.Request) any {
			return sql.StatementResponse{
				Status: &sql.StatementStatus{
					State: sql.StatementStateFailed,
					Error: &sql.ServiceError{ErrorCode: "BAD_REQUEST", Message: "there is no such table"},
				},
			}
		})
	})
	_, err := CLI{}.Query(t.Context(), small(t), "prod", "abc", "SELECT 1")
	require.ErrorContains(t, err, "SQL warehouse abc")
	require.ErrorContains(t, err, "there is no such table")

	newFake(t, func(s *testserver.Server) {
		s.Handle("POST", "/api/2.0/sql/statements", func(r testserver.Request) any {
			return testserver.Response{
				StatusCode: http.StatusNotFound,
				Body:       map[string]string{"error_code": "NOT_FOUND", "message": "no warehouse of that id"},
			}
		})
	})
	_, err = CLI{}.Query(t.Context(), small(t), "prod", "abc", "SELECT 1")
	require.ErrorContains(t, err, "no warehouse of that id")
}
