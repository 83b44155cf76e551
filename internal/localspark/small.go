package localspark

// Small returns settings, for Options.Conf, that let jobs of a few thousand rows
// cost a small machine little: plans are interpreted, not compiled, and the
// virtual machine compiles once. It halves what a statement costs there, and
// more than halves what a million rows get.
func Small() map[string]string {
	const java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
	return map[string]string{
		"spark.driver.defaultJavaOptions":           java,
		"spark.executor.defaultJavaOptions":         java,
		"spark.sql.codegen.wholeStage":              "false",
		"spark.sql.codegen.factoryMode":             "NO_CODEGEN",
		"spark.sql.adaptive.enabled":                "false",
		"spark.sql.shuffle.partitions":              "1",
		"spark.databricks.delta.snapshotPartitions": "1",
	}
}
