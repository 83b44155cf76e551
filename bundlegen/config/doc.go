// Package config is pipeline.yml: what a person writes, read strictly (yamlread),
// with every default filled in. Each file has a part of it: its types, how they are
// read and what is checked of them. Load reads the whole.
package config
