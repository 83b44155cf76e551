package tables

import "strings"

// SparkName quotes a name for Spark SQL: unquoted, such a column as timestamp,
// which is also a type's name, does not parse everywhere.
func SparkName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
