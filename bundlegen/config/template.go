package config

import (
	_ "embed"
	"regexp"
	"strconv"
	"strings"
)

//go:embed template.yml
var templateText string

// Schema is the JSON schema of pipeline.yml, for editors. It knows each key with its
// type and bounds; what contradicts what, only Load knows. A test makes it of what Load
// asks a file for.
//
//go:embed pipeline.schema.json
var Schema []byte

// plainURL is what may stand in YAML without quotes and without a second thought.
var plainURL = regexp.MustCompile(`\Ahttps?://[A-Za-z0-9._/-]+(:\d+[A-Za-z0-9._/-]*)?\z`)

// Template returns the pipeline.yml that `init` writes for a PI Web API: short,
// with every further key commented out. An address that NormalizeURL accepts is
// written in its normal form, and the file loads unchanged. Any other is
// written as one quoted text, without what may be a password in it, and Load
// says what is wrong with it; call NormalizeURL first to tell the user sooner.
func Template(server string) []byte {
	url, err := NormalizeURL(server)
	if err != nil {
		url = strings.ToValidUTF8(server[strings.LastIndex(server, "@")+1:], "\uFFFD")
		if cut := strings.IndexAny(url, "?#"); cut >= 0 {
			url = url[:cut]
		}
	}
	if !plainURL.MatchString(url) {
		// The escapes of a Go string are all escapes of YAML's double quotes too.
		url = strconv.QuoteToASCII(url)
	}
	return []byte(strings.Replace(templateText, "{{url}}", url, 1))
}
