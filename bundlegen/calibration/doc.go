// Package calibration measures the forecast's constants from earlier runs: the
// rows that they left in monitoring.pipeline_metrics, what can be measured by
// them and what cannot, and the file in which a plan finds it.
//
// Rows come from a CSV, or as texts from whoever asks an engine by Query. Measure
// compares them with the plan whose tasks wrote them. It is pure but for Read.
package calibration
