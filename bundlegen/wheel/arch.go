package wheel

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Arch is the processor that a wheel's binary is made for, by Go's name of it.
type Arch string

// The processors that Databricks has machines of.
const (
	AMD64 Arch = "amd64"
	ARM64 Arch = "arm64"
)

// armNodes matches the node types with ARM processors: AWS Graviton (m6gd.xlarge,
// im4gn.large, a1.medium; g4dn is none of them), Azure Ampere and Cobalt
// (Standard_D4ps_v5), Google Tau and Axion (t2a, c4a, n4a).
var armNodes = regexp.MustCompile(`^(?:[a-z]+[0-9]+g[a-z]*[.-]|a1\.|Standard_[A-Z]+[0-9]+[a-z]*p[a-z]*_v[0-9]+|(?:t2a|c4a|n4a|a4x)-)`)

// ArchOf returns the processor of a cloud's node type; AMD64 for those it does not know.
func ArchOf(nodeType string) Arch {
	if armNodes.MatchString(nodeType) {
		return ARM64
	}
	return AMD64
}

// platform is the wheel's platform tag. manylinux2014 is met by every Databricks
// runtime; the binary is static and needs none of it.
func (a Arch) platform() (string, error) {
	switch a {
	case AMD64:
		return "manylinux2014_x86_64", nil
	case ARM64:
		return "manylinux2014_aarch64", nil
	}
	return "", diag.WithHint(fmt.Errorf("processor %q is not one that a wheel is made for", string(a)),
		"allowed are %s and %s", AMD64, ARM64)
}

// ArchOfFile returns the processor that a wheel is for, as its file's name says; ok
// is false for a wheel that is for any, or for none that is known here.
func ArchOfFile(name string) (arch Arch, ok bool) {
	for _, arch := range []Arch{AMD64, ARM64} {
		if tag, err := arch.platform(); err == nil && strings.HasSuffix(name, "-"+tag+".whl") {
			return arch, true
		}
	}
	return "", false
}
