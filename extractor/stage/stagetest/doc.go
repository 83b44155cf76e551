// Package stagetest reads the streams of stage.ArrowWriter, for tests: in production
// only Spark reads them.
package stagetest
