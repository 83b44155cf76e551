package deploy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/text"
)

// ErrPlanChanged means that the workspace or the bundle changed since the plan
// was shown.
var ErrPlanChanged = errors.New("the plan has changed since it was shown; nothing was deployed")

// ErrNoAnswer means that the workspace is unreachable or silent.
var ErrNoAnswer = errors.New("no answer")

// Error is a verb of the CLI that failed. Its text holds no secret.
type Error struct {
	Diagnostics string // the CLI's own words, with file, line and column where it gave them
}

func (e *Error) Error() string { return e.Diagnostics }

// advice is a hint for a failure that the CLI words in a known way. All of
// phrases must be in the text.
type advice struct {
	phrases []string
	hint    string // with the placeholders of place
}

// place is where a verb failed, for the placeholders {target}, {host}, {verb},
// {folder} of hints.
type place struct {
	verb, target, host, folder string
	entering                   bool // host and credentials were still looked for
}

func (p place) fill(hint string) string {
	return strings.NewReplacer("{target}", p.target, "{host}", p.host, "{verb}", p.verb, "{folder}", text.Line(p.folder)).Replace(hint)
}

// advices are tried in order: the first that fits is given. The phrases are
// those of databricks/cli 1.12.1 and databricks-sdk-go 0.170.0.
var advices = []advice{
	{
		[]string{"glob pattern character"},
		"the CLI works in no folder whose path has one of * ? [ ]: rename it, or have `output` in pipeline.yml name another; the bundle is in {folder}",
	},
	{
		[]string{"deploy lock"},
		"wait until the other deployment has ended; if there is none, an earlier one was killed: run `databricks bundle {verb} -t {target} --force-lock` once in {folder}",
	},
	{
		[]string{"more than one authorization method"},
		"unset the variables of all but one (DATABRICKS_TOKEN; DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET), or set DATABRICKS_AUTH_TYPE to the one that is meant: pat or oauth-m2m",
	},
	{
		[]string{" profile configured"},
		"DATABRICKS_CONFIG_PROFILE names a profile that is not in that file: correct or unset it, or log in as it with `databricks auth login --profile NAME`",
	},
	{[]string{"cannot configure default credentials"},
		"set DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET), or log in once with `databricks auth login --host {host}`"},
	{[]string{"Invalid access token"}, credentialsHint},
	{[]string{"invalid_client"}, credentialsHint},
	{[]string{"Credential was not sent"}, credentialsHint},
	{[]string{"(401"}, credentialsHint},
	{[]string{"multiple profiles matched"},
		"set DATABRICKS_CONFIG_PROFILE to one of them"},
	{[]string{"no such target"},
		"`-t` takes a key of `targets` in pipeline.yml"},
	{[]string{"x509: "},
		"set SSL_CERT_FILE to a PEM file that holds the certificate authority of your proxy or network"},
	{[]string{"dist/*.whl"},
		"the wheel is not committed; run `bundlegen generate`, which makes it"},
	{[]string{"HTTP Status: " + statusTooMany}, limitHint},
	{[]string{"PERMISSION_DENIED"}, permissionHint},
	{[]string{"403 Forbidden"}, permissionHint},
	{[]string{"default auth:"}, enterHint},
	{[]string{"--auto-approve"},
		"look at the plan, then pass --auto-approve"},
}

const (
	credentialsHint = "the credentials are not valid for {host}; set DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and " +
		"DATABRICKS_CLIENT_SECRET), or log in again with `databricks auth login --host {host}`"
	limitHint      = "the workspace limits how often it is asked: wait some minutes, then run the same command again"
	permissionHint = "let the deploying user or service principal read and write the bundle's folder in the workspace, " +
		"manage its jobs, and use the service principal of target {target}"
)

// enterHint is what to do where the workspace was not entered, and nothing more
// precise is known: no file of the bundle is at fault.
const enterHint = "look at DATABRICKS_HOST and the credentials that the environment or ~/.databrickscfg has for target {target}"

// afterwards is what to do when nothing more precise is known.
var afterwards = map[string]string{
	"validate": "correct pipeline.yml and run `bundlegen generate`; a bundle is not edited by hand",
	"deploy":   "remove the cause and run the same command again; it goes on where this one stopped",
	"destroy":  "remove the cause and run the same command again; it goes on where this one stopped",
}

// hintFor chooses the hint for what the CLI said.
func hintFor(said string, at place) string {
	if strings.Contains(at.folder, `\`) && strings.Contains(said, "'include' section does not match any files") {
		return at.fill(
			"the CLI works in no folder whose path has a backslash: rename it, or have `output` in pipeline.yml name another; the bundle is in {folder}",
		)
	}
	for _, a := range advices {
		if a.fits(said) {
			return at.fill(a.hint)
		}
	}
	if at.entering {
		return at.fill(enterHint)
	}
	if at.verb == "validate" && strings.Contains(said, "HTTP Status: 5") {
		return "that is the workspace's own failure: run the same command again"
	}
	return afterwards[at.verb]
}

// fits reports whether all phrases are in the text.
func (a advice) fits(text string) bool {
	for _, p := range a.phrases {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// noHost is the error for a target whose workspace nobody named.
func noHost(target string) error {
	return diag.WithHint(fmt.Errorf("no Databricks workspace is named for target %q", target),
		"set DATABRICKS_HOST, or targets.%s.host in pipeline.yml, for example https://example.cloud.databricks.com", target)
}
