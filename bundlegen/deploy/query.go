package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/databricks/databricks-sdk-go/service/sql"
)

// waitTimeout is how long the workspace holds an answer back for a statement to
// end; after that it is asked again and again.
const waitTimeout = "30s"

// Query runs a statement on a SQL warehouse of the target's workspace, by the
// statement execution API, and gives all rows as texts; null is "". It only
// reads as far as the statement does. A workspace that does not answer ends it,
// as it ends every verb.
func (c CLI) Query(ctx context.Context, dir, target, warehouse, statement string) ([][]string, error) {
	s, err := c.open(ctx, verb{name: "query", dir: dir, target: target, quiet: true})
	if err != nil {
		return nil, err
	}
	rows, err := s.query(warehouse, statement)
	return rows, s.close(err)
}

func (s *session) query(warehouse, statement string) ([][]string, error) {
	api := s.client.StatementExecution
	answer, err := api.ExecuteAndWait(s.ctx, sql.ExecuteStatementRequest{
		WarehouseId: warehouse, Statement: statement, WaitTimeout: waitTimeout,
		Disposition: sql.DispositionInline, Format: sql.FormatJsonArray,
	})
	if err != nil {
		return nil, errors.Join(context.Cause(s.ctx), fmt.Errorf("SQL warehouse %s: %w", warehouse, err))
	}
	if answer.Manifest != nil && answer.Manifest.Truncated {
		return nil, &Error{Err: fmt.Errorf("SQL warehouse %s: the answer is larger than what it gives inline", warehouse), Hint: "export the table as CSV"}
	}
	var rows [][]string
	for chunk := answer.Result; chunk != nil; {
		rows = append(rows, chunk.DataArray...)
		if chunk.NextChunkIndex == 0 {
			break
		}
		// Inline answers are of 25 MiB at most; what goes on and on is none.
		if chunk.NextChunkIndex <= chunk.ChunkIndex || chunk.NextChunkIndex > maxPages {
			return nil, endless(fmt.Errorf("the statement's rows come in more than %d chunks", maxPages))
		}
		if chunk, err = api.GetStatementResultChunkNByStatementIdAndChunkIndex(s.ctx, answer.StatementId, chunk.NextChunkIndex); err != nil {
			return nil, fmt.Errorf("SQL warehouse %s, further rows: %w", warehouse, err)
		}
	}
	return rows, nil
}
