// Package nodecheck is pi-extractor's part of the doctor: what a node of a cluster
// lets this program do. The wheel starts a process for each check, on the driver
// or on a worker, and reads the findings from its standard output, a line of JSON
// each. No finding holds a secret.
package nodecheck
