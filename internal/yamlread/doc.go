// Package yamlread reads YAML strictly, with the place of everything in the file
// wrong. Parse makes a tree of a document (Node); a Mapping reads its values with
// their bounds and defaults, and collects every problem of the file instead of
// stopping at the first. No problem shows what stands below a key that may hold a
// secret. It is the sole reader of YAML, and imports gopkg.in/yaml.v3 for it.
package yamlread
