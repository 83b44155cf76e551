package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// waitTimeout is how long the workspace holds an answer back for a statement to
// end; after that it is asked again and again.
const waitTimeout = "30s"

// Rows is the answer to a statement: texts by column; null is "".
type Rows struct {
	Columns []string
	Records [][]string
}

// Query runs a statement on a SQL warehouse of the target's workspace, by the
// statement execution API, and returns all rows as texts; null is "". It only
// reads as far as the statement does. A workspace that does not answer ends it,
// as it ends every verb.
func (c CLI) Query(ctx context.Context, dir, target, warehouse, statement string) ([][]string, error) {
	answers, err := c.QueryAll(ctx, dir, target, warehouse, []string{statement})
	if err != nil {
		return nil, err
	}
	return answers[0].Records, nil
}

// QueryAll is Query for several statements, one after the other.
func (c CLI) QueryAll(ctx context.Context, dir, target, warehouse string, statements []string) ([]Rows, error) {
	s, err := c.open(ctx, verb{name: "query", dir: dir, target: target, quiet: true})
	if err != nil {
		return nil, err
	}
	answers := make([]Rows, len(statements))
	for i, statement := range statements {
		if answers[i], err = s.query(warehouse, statement); err != nil {
			break
		}
	}
	return answers, s.close(err)
}

func (s *session) query(warehouse, statement string) (rows Rows, err error) {
	api := s.client.StatementExecution
	answer, err := api.ExecuteAndWait(s.ctx, sql.ExecuteStatementRequest{
		WarehouseId: warehouse, Statement: statement, WaitTimeout: waitTimeout,
		Disposition: sql.DispositionInline, Format: sql.FormatJsonArray,
	})
	if err != nil {
		return rows, errors.Join(context.Cause(s.ctx), fmt.Errorf("SQL warehouse %s: %w", warehouse, err))
	}
	if answer.Manifest != nil {
		if answer.Manifest.Truncated {
			return rows, diag.WithHint(fmt.Errorf("SQL warehouse %s: the answer is larger than what it gives inline", warehouse),
				"export the table as CSV")
		}
		if answer.Manifest.Schema != nil {
			for _, column := range answer.Manifest.Schema.Columns {
				rows.Columns = append(rows.Columns, column.Name)
			}
		}
	}
	for chunk := answer.Result; chunk != nil; {
		rows.Records = append(rows.Records, chunk.DataArray...)
		if chunk.NextChunkIndex == 0 {
			break
		}
		if chunk, err = api.GetStatementResultChunkNByStatementIdAndChunkIndex(s.ctx, answer.StatementId, chunk.NextChunkIndex); err != nil {
			return rows, fmt.Errorf("SQL warehouse %s, further rows: %w", warehouse, err)
		}
	}
	return rows, nil
}
