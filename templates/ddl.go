package templates

import (
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// MonitoringTables returns the statements that make the monitoring tables, for
// people: where the job may not make tables, somebody who may runs them first. They
// are in words that Databricks and DuckDB share. Nothing happens to what is there
// already; the discover task makes the same tables, and adds columns.
func MonitoringTables() Text {
	var b strings.Builder
	b.WriteString("-- The monitoring tables. The discover_tags task makes what is missing of them; run\n" +
		"-- this only where that task may not make tables, or to look at them before its first\n" +
		"-- run. It may run any number of times: what is there stays as it is.\n")
	fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS %s;\n", tables.Monitoring)
	for _, t := range tables.All {
		if t.Schema == tables.Monitoring {
			b.WriteString("\n" + createTable(t))
		}
	}
	return Text{Name: "monitoring-tables.sql", Data: []byte(b.String())}
}

// createTable returns one table's statement. What the columns mean is in comments of
// the text: the two engines comment on columns in words of their own.
func createTable(t tables.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- %s: %s.\nCREATE TABLE IF NOT EXISTS %s.%s (\n", t.Name, t.Comment, t.Schema, t.Name)
	for i, c := range t.Columns {
		line := fmt.Sprintf("  %-17s %s", c.Name, c.Type)
		if i < len(t.Columns)-1 {
			line += ","
		}
		if c.Comment != "" {
			line = fmt.Sprintf("%-30s -- %s", line, c.Comment)
		}
		b.WriteString(line + "\n")
	}
	return b.String() + ");\n"
}
