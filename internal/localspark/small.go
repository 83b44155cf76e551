package localspark

// Small returns settings for Options.Conf that make jobs of a few thousand rows cheap on a
// small machine: plans are interpreted, not compiled, and the JVM compiles once. They
// halve the cost of a statement there, and more than halve the throughput of a million
// rows.
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
