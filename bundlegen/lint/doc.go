// Package lint checks an emitted bundle for what the databricks CLI lets pass
// and a workspace, or a run, then fails on: `bundle validate` takes duplicate task
// keys, circles, unknown clusters, wrong enums and impossible schedules for
// granted. It reads the folder and nothing else.
package lint
