// Package bundle turns a plan into a Databricks bundle, and reads one back.
//
// A [Tree] is a bundle in memory: the same plan and configuration give the same
// bytes, in any folder and on any machine. [Tree.Write] brings a folder to it,
// touching only what differs; [Tree.Compare] says what differs; [HandEdited]
// tells an edit by hand from a changed configuration, by the hashes in the
// folder's own plan.json. [Read] gives the typed view of an emitted folder that
// a local run needs, from its YAML and nothing else.
package bundle
