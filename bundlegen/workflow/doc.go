// Package workflow is bundlegen's main path, from pipeline.yml to a deployed
// bundle, as functions on values. In order:
//
//	Load      pipeline.yml                                   a Project of Regions
//	Plan      inventory, earlier bundles, what was measured  each Region's Plan and Changes
//	Render    plan to files in memory                        a Tree, and how the folder differs
//	Write     files and wheel, unless edited by hand         the bundle's folder
//	Lint      what a person can break                        findings
//	Validate  the databricks CLI's strict validation
//	Preview   what a deployment would change                 a Rollout
//	Deploy    just that
//
// A command goes as far as it needs: plan to Plan, generate to Write, validate
// from Load to Lint and Validate, deploy the whole way. A region is a value like
// any other: a pipeline without regions has one that is called "". Nothing here
// prints, asks or knows a flag: that is package cli's.
package workflow
