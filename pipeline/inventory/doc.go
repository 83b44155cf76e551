// Package inventory reads, checks and writes the list of PI tags that a
// pipeline extracts: inventory.csv, and, with the same header, the manifests of
// a bundle. It reads from and writes to what it is given, and does no other I/O.
package inventory
