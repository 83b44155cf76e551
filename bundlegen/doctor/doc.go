// Package doctor is what `bundlegen doctor` reports: findings, each with its cure.
// Who makes the checks is elsewhere: sitecheck looks at sites. The sentences of all
// findings are in wording.go.
package doctor
