// Package report shows a plan: on a terminal, as Markdown for a pull request,
// as JSON for programs, as an HTML page for people. It decides nothing: what it prints is in the plan and
// its changes.
package report
