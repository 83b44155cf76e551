// Package wheel makes the Python wheel that a bundle's tasks install: the static
// pi-extractor for one kind of processor, and the launcher that runs it.
package wheel
