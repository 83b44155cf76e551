// Package templates holds the texts that are emitted as they are, or with a few
// names filled in: a bundle's README, queries over the tables, the launcher
// that the wheel carries, and pipelines for continuous integration.
package templates
