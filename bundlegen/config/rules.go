package config

import (
	"path/filepath"
	"strings"
	"unicode"

	"github.com/bundlegen/bundlegen/internal/yamlread"
)

// rule returns the rule of a function.
func rule(ok func(string) bool, allowed, hint string) yamlread.Rule {
	return yamlread.Rule{OK: ok, Allowed: allowed, Hint: hint}
}

// isLine reports whether s is a text of 1 to 1000 characters without control characters
// and without space around it.
func isLine(s string) bool {
	return s != "" && len(s) <= 1000 && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}

// isRoot reports whether path is the root of a file system.
func isRoot(path string) bool {
	return filepath.IsAbs(path) && filepath.Dir(path) == filepath.Clean(path)
}

// What the texts of pipeline.yml must be. Names become resource keys, variable
// names and file names, so they keep to what all of these take.
var (
	nameRule = yamlread.Pattern(`[A-Za-z][A-Za-z0-9_-]{0,63}`,
		"a letter, then letters, digits, _ and -, 64 in all at most", "for instance osipi_connector")
	siteNameRule = yamlread.Pattern(`[A-Za-z][A-Za-z0-9_-]{0,63}`,
		"a letter, then letters, digits, _ and -, 64 in all at most", "for instance plant-a")
	tierNameRule = yamlread.Pattern(`[A-Za-z][A-Za-z0-9_-]{0,63}`,
		"a letter, then letters, digits, _ and -, 64 in all at most", "for instance standard")
	catalogRule = yamlread.Pattern(`[A-Za-z0-9_-]{1,255}`,
		"the name of a Unity Catalog catalog: letters, digits, _ and -", "for instance pi_production")
	prefixRule = yamlread.Pattern(`[A-Za-z0-9_]{0,64}`,
		"letters, digits and _, or \"\" for none", "for instance dev_")
	pathRule   = rule(isLine, "a path, relative to this file's folder", "for instance inventory.csv")
	outputRule = rule(
		func(s string) bool { return isLine(s) && !strings.HasPrefix(s, "~") && !isRoot(s) },
		"a folder of bundles, relative to this file's folder, not the file system's root",
		"for instance bundles; ~ is not expanded here: write the path out",
	)
	calibrationRule = rule(isLine, "a path, relative to this file's folder", "leave it out for "+CalibrationFile+", if it is there")
	lineRule        = rule(isLine, "one line of text", "write it on one line, without space around it")
	filterRule      = rule(
		isLine,
		"a name filter of PI, on one line: * stands for any text, ? for one character",
		`for instance "UNIT1.*.PV", in quotes`,
	)
	// RFC 7617: a colon would end the user name.
	usernameRule = rule(func(s string) bool { return isLine(s) && !strings.Contains(s, ":") },
		"one line of text without a colon", `for instance svc_pi or DOMAIN\svc_pi; the password stands in password`)
	principalRule = yamlread.Pattern(`[^@\s\x00-\x1f]{1,255}@[^@\s\x00-\x1f]{1,255}`,
		"a Kerberos principal, user@REALM", "for instance svc_pi@PLANT.EXAMPLE")
	spnRule = yamlread.Pattern(`[A-Za-z]+/[A-Za-z0-9._-]+(@[A-Za-z0-9._-]+)?`,
		"a service principal name, HTTP/host", "leave the key out for HTTP/ and the host of the site's URL")
	envRule = yamlread.Pattern(`[A-Za-z_][A-Za-z0-9_]{0,127}`,
		"the name of an environment variable: letters, digits and _", "for instance PI_PASSWORD, without $; never the secret itself")
	// Names of secret scopes and keys, as the Secrets API documents them.
	scopeKeyRule = yamlread.Pattern(`[A-Za-z0-9_.@-]{1,128}/[A-Za-z0-9_.-]{1,128}`,
		"scope/key, as in Databricks' secrets", "for instance pi/plant-a; never the secret itself")
	uuidRule = yamlread.Pattern(`[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`,
		"an application id, 11111111-2222-3333-4444-555555555555", "it is the service principal's application id, not its name")
	destinationRule = yamlread.Pattern(
		`[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`,
		"the id of a notification destination, 11111111-2222-3333-4444-555555555555",
		"make the destination in the workspace's settings and write its id; its URL is a secret",
	)
	emailRule = yamlread.Pattern(`[^@\s,;<>"]{1,64}@[^@\s,;<>"]{1,255}`,
		"an e-mail address", "for instance pi-team@plant.example")
	sparkRule = yamlread.Pattern(`\d{2}\.\d{1,2}\.x(-[a-z0-9]+)*-scala2\.1[23]`,
		"a version of Databricks Runtime, such as "+defaultSparkVersion, "`databricks clusters spark-versions` lists them")
	nodeTypeRule = yamlread.Pattern(`[A-Za-z0-9][A-Za-z0-9._-]{0,99}`,
		"a node type of the cloud", "`databricks clusters list-node-types` lists them")
	idRule = yamlread.Pattern(`[A-Za-z0-9][A-Za-z0-9_-]{0,99}`,
		"an id: letters, digits, _ and -", "copy the id from the address of its page in the workspace")
	profileRule = yamlread.Pattern(`arn:aws[a-z-]*:iam::\d{12}:instance-profile/[A-Za-z0-9+=,.@_/-]+`,
		"the ARN of an instance profile", "for instance arn:aws:iam::123456789012:instance-profile/pi")
	priceRule = yamlread.Pattern("("+strings.Join(clouds, "|")+`)/[A-Za-z0-9._-]+(/[a-z]+)?`,
		"cloud/what, and for a node type cloud/type (US dollars an hour) and cloud/type/dbu", "for instance aws/jobs, or aws/m5d.xlarge")
)

// sameKey returns the form in which two names would collide once they are parts
// of keys and of environment variables.
func sameKey(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
