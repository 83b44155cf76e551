package stage

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// rowGroup is the number of rows of a row group: large enough to compress and
// to be read at full speed, small enough that ten writers fit into 200 MiB.
const rowGroup = 122_880

// pageSize is the size at which a page ends, in bytes before compression.
const pageSize = 256 << 10

// nullable are the columns that not every event has a value for.
var nullable = map[string]bool{"value": true, "value_text": true, "value_code": true}

// fileSchema is bronze's, column for column: a folder can be appended unchanged.
func fileSchema() (*schema.GroupNode, error) {
	var fields schema.FieldList
	for _, c := range tables.Timeseries.Columns {
		repetition := parquet.Repetitions.Required
		if nullable[c.Name] {
			repetition = parquet.Repetitions.Optional
		}
		field, err := node(c, repetition)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
	}
	return schema.NewGroupNode(tables.Timeseries.Name, parquet.Repetitions.Required, fields, -1)
}

func node(c tables.Column, r parquet.Repetition) (schema.Node, error) {
	logical := func(l schema.LogicalType, physical parquet.Type) (schema.Node, error) {
		return schema.NewPrimitiveNodeLogical(c.Name, r, l, physical, -1, -1)
	}
	switch c.Type {
	case tables.String:
		return logical(schema.StringLogicalType{}, parquet.Types.ByteArray)
	case tables.Timestamp:
		return logical(schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64)
	case tables.TinyInt:
		return logical(schema.NewIntLogicalType(8, true), parquet.Types.Int32)
	case tables.Date:
		return logical(schema.DateLogicalType{}, parquet.Types.Int32)
	case tables.Int:
		return schema.NewInt32Node(c.Name, r, -1), nil
	case tables.Double:
		return schema.NewFloat64Node(c.Name, r, -1), nil
	case tables.Boolean:
		return schema.NewBooleanNode(c.Name, r, -1), nil
	}
	return nil, fmt.Errorf("column %s: no Parquet type for %s", c.Name, c.Type)
}

// properties are the settings that measured best for events: zstd at its
// fastest, dictionaries for what repeats, deltas for what grows, statistics only
// where readers prune.
func properties() *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithAllocator(new(recycler)),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithDictionaryDefault(false),
		parquet.WithStats(false),
		parquet.WithDataPageVersion(parquet.DataPageV1),
		parquet.WithDataPageSize(pageSize),
		parquet.WithMaxRowGroupLength(rowGroup),
		// Pages are cut where a call ends, so the encoder decides how long calls are.
		parquet.WithBatchSize(rowGroup),
	}
	for _, c := range tables.Timeseries.Columns {
		if c.Type == tables.String {
			props = append(props, parquet.WithDictionaryFor(c.Name, true))
		}
	}
	for _, name := range []string{"timestamp_100ns", "ingestion_timestamp", "partition_date"} {
		props = append(props, parquet.WithDictionaryFor(name, true))
	}
	for _, name := range []string{"timestamp", "value_code"} {
		props = append(props, parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
	}
	// Deltas of instants have little left to compress; a column of one value has
	// a page of a few bytes, and setting the compressor up costs more than those.
	for _, name := range []string{"timestamp", "site", "batch_id", "ingestion_timestamp", "pipeline"} {
		props = append(props, parquet.WithCompressionFor(name, compress.Codecs.Uncompressed))
	}
	for _, name := range []string{"timestamp", "tag_webid"} {
		props = append(props, parquet.WithStatsFor(name, true))
	}
	return parquet.NewWriterProperties(props...)
}
