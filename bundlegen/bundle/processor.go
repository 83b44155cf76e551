package bundle

import (
	"fmt"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/wheel"
	"github.com/bundlegen/bundlegen/internal/diag"
)

// Processor returns the kind of processor that the bundle's wheel is made for: that of
// the configured machines, which all have to be of one kind, since every task
// installs the same wheel. Machines of a pool that is there already are taken for
// AMD64.
func Processor(cfg *config.Pipeline) (wheel.Arch, error) {
	if cfg.Compute.Serverless {
		return wheel.AMD64, nil
	}
	nodes := wheel.ArchOf(cfg.Compute.NodeType)
	if usesPool(cfg) || cfg.Compute.SingleCluster {
		return nodes, nil // there is no other machine
	}
	if orchestrator := wheel.ArchOf(cfg.Compute.OrchestratorType); orchestrator != nodes {
		return "", diag.WithHint(fmt.Errorf("compute.node_type %s has %s processors, compute.orchestrator_node_type %s has %s: one wheel cannot serve both",
			cfg.Compute.NodeType, nodes, cfg.Compute.OrchestratorType, orchestrator),
			"leave orchestrator_node_type out, or choose one with %s processors", nodes)
	}
	return nodes, nil
}
