package stage

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// closingColumn is the last column of an Arrow stream.
const closingColumn = "closing"

// sentOnce are the columns of bronze that are the same in every row of a batch:
// a stream leaves them out, and ArrowSelect has them.
var sentOnce = []string{"site", "batch_id", "ingestion_timestamp", "pipeline"}

// arrowColumns are the columns of a stream, in order: those of bronze that differ by
// row, and closing.
func arrowColumns() []tables.Column {
	var out []tables.Column
	for _, c := range tables.Timeseries.Columns {
		if !slices.Contains(sentOnce, c.Name) {
			out = append(out, c)
		}
	}
	return append(out, tables.Column{Name: closingColumn, Type: tables.String})
}

// arrowTypes are types that Spark's mapInArrow takes: nothing dictionary-encoded, since
// its Python worker cannot pass that on.
var arrowTypes = map[tables.Type]arrow.DataType{
	tables.String:    arrow.BinaryTypes.String,
	tables.Timestamp: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	tables.TinyInt:   arrow.PrimitiveTypes.Int8,
	tables.Int:       arrow.PrimitiveTypes.Int32,
	tables.Double:    arrow.PrimitiveTypes.Float64,
	tables.Boolean:   arrow.FixedWidthTypes.Boolean,
	tables.Date:      arrow.FixedWidthTypes.Date32,
}

// arrowSchema is the schema of a stream. Every column is nullable: the closing row has
// no other value, and Spark takes every column as nullable here.
func arrowSchema() (*arrow.Schema, error) {
	var fields []arrow.Field
	for _, c := range arrowColumns() {
		t := arrowTypes[c.Type]
		if t == nil {
			return nil, fmt.Errorf("column %s: no Arrow type for %s", c.Name, c.Type)
		}
		fields = append(fields, arrow.Field{Name: c.Name, Type: t, Nullable: true})
	}
	return arrow.NewSchema(fields, nil), nil
}

// ArrowSchema returns the schema of an Arrow stream as Spark's DDL, for mapInArrow.
func ArrowSchema() string {
	var columns []string
	for _, c := range arrowColumns() {
		columns = append(columns, tables.SparkName(c.Name)+" "+string(c.Type))
	}
	return strings.Join(columns, ", ")
}

// ArrowSelect returns expressions of Spark SQL over a stream's columns: bronze's columns
// in their order, with literals for those that are the same in every row, and then
// closing, which is null in the rows of events. It uses the labels of l that are not by
// stream.
func ArrowSelect(l Labels) []string {
	ingested, _ := l.Ingested.Micros()
	literals := map[string]string{
		"site":                sqlText(l.Site),
		"batch_id":            sqlText(l.BatchID),
		"ingestion_timestamp": fmt.Sprintf("timestamp_micros(%dL)", ingested),
		"pipeline":            sqlText(l.Pipeline),
	}
	var out []string
	for _, c := range tables.Timeseries.Columns {
		if literal, ok := literals[c.Name]; ok {
			out = append(out, literal+" AS "+tables.SparkName(c.Name))
		} else {
			out = append(out, tables.SparkName(c.Name))
		}
	}
	return append(out, tables.SparkName(closingColumn))
}

// sqlText returns a literal of a text. What depends on the session (backslashes with
// spark.sql.parser.escapedStringLiterals, ${…} with variable substitution, quotes,
// control characters) is written in hexadecimal, which is unambiguous.
func sqlText(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" _-.:/", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return "'" + s + "'"
	}
	return "CAST(X'" + hex.EncodeToString([]byte(s)) + "' AS STRING)"
}
