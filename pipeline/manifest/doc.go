// Package manifest is what bundlegen hands to the tasks: a partition's tags
// (a CSV in the bundle), the sites they belong to (sites.json), and each task's
// parameters (the command line in the emitted job). Both programs use it, so
// that what one writes is what the other reads.
package manifest

import "fmt"

// Folder is where the manifests stand in a bundle.
const Folder = "partitions"

// SitesFile is the name of the file that describes the sites, in a bundle's root.
const SitesFile = "sites.json"

// FileName returns the manifest's name of a partition: partition-0007.csv.
func FileName(partition int) string { return fmt.Sprintf("partition-%04d.csv", partition) }
