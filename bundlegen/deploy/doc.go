// Package deploy puts an emitted bundle into a Databricks workspace: it
// validates, plans, deploys, runs, summarizes and destroys. It is the sole
// importer of databricks/cli and databricks-sdk-go.
//
// The databricks CLI runs in this process, so that nothing has to be installed.
// Every verb opens the bundle afresh (the CLI changes it while it works), hands
// it to the CLI with a connection of our own, and closes it again:
//
//	open     load databricks.yml, select the target, find host and credentials,
//	         make sure that the workspace answers
//	execute  `bundle validate`, `bundle plan`, ... on that bundle
//	close    give back a deployment lock that an interrupted verb still holds,
//	         close the connections
//
// The bundle travels in the context, not in the working directory or in
// DATABRICKS_BUNDLE_ROOT: the process stays as it is. Host and credentials are found as the
// databricks program finds them: DATABRICKS_HOST, DATABRICKS_TOKEN and the other
// variables of the SDK, or a profile of ~/.databrickscfg.
package deploy
