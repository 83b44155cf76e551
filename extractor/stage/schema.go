package stage

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// dictionary is how a column of repeated texts is held: indices into the texts.
var dictionary = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

// schema is bronze's, column for column: a folder can be appended as it is.
var schema = arrowSchema()

func arrowSchema() *arrow.Schema {
	types := map[tables.Type]arrow.DataType{
		tables.String:    dictionary,
		tables.Timestamp: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
		tables.TinyInt:   arrow.PrimitiveTypes.Int8,
		tables.Int:       arrow.PrimitiveTypes.Int32,
		tables.Double:    arrow.PrimitiveTypes.Float64,
		tables.Boolean:   arrow.FixedWidthTypes.Boolean,
		tables.Date:      arrow.FixedWidthTypes.Date32,
	}
	var fields []arrow.Field
	for _, c := range tables.Timeseries.Columns {
		fields = append(fields, arrow.Field{Name: c.Name, Type: types[c.Type], Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// properties are the settings that measured best for events: zstd at its
// fastest, dictionaries for texts only, deltas for what grows, statistics only
// where readers prune.
func properties() *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithDictionaryDefault(false),
		parquet.WithStats(false),
		parquet.WithDataPageVersion(parquet.DataPageV1),
		parquet.WithDataPageSize(256 << 10),
		parquet.WithMaxRowGroupLength(rowGroup),
		parquet.WithCompressionFor("timestamp", compress.Codecs.Uncompressed),
	}
	for _, c := range tables.Timeseries.Columns {
		if c.Type == tables.String {
			props = append(props, parquet.WithDictionaryFor(c.Name, true))
		}
	}
	for _, name := range []string{"timestamp", "ingestion_timestamp", "partition_date", "value_code"} {
		props = append(props, parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
	}
	for _, name := range []string{"timestamp", "tag_webid"} {
		props = append(props, parquet.WithStatsFor(name, true))
	}
	return parquet.NewWriterProperties(props...)
}
