package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"

	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/internal/text"
)

// missing reports whether the workspace says that there is no such thing, as
// against an endpoint that it does not have.
func missing(err error) bool {
	var api *apierr.APIError
	if !errors.As(err, &api) || api.StatusCode != http.StatusNotFound && api.StatusCode != http.StatusBadRequest {
		return false
	}
	code := api.ErrorCode
	if api.StatusCode == http.StatusNotFound && strings.Contains(api.Message, "does not exist") {
		return true // some answers have the words without the code
	}
	noAPI := code == "ENDPOINT_NOT_FOUND" || code == "NOT_FOUND"
	return strings.HasSuffix(code, "_DOES_NOT_EXIST") || strings.HasSuffix(code, "NOT_FOUND") && !noAPI
}

// skipped is a check whose answer is not to be had.
func skipped(check, subject, what string, err error) doctor.Finding {
	return doctor.Finding{Check: check, Subject: subject, State: doctor.Skipped, What: what + " cannot be read: " + reason(err)}
}

// reason says in a few words why there is no answer.
func reason(err error) string {
	var api *apierr.APIError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax), strings.Contains(err.Error(), "HTML response"), strings.Contains(err.Error(), "invalid character '<'"):
		return "the answer is no JSON: a proxy or a sign-in page stands between"
	case !errors.As(err, &api):
		return firstLine(err)
	case api.StatusCode == http.StatusForbidden, api.StatusCode == http.StatusUnauthorized:
		return "you may not (" + firstLine(err) + ")"
	case api.StatusCode == http.StatusNotFound:
		return "the workspace has no such API here (" + firstLine(err) + ")"
	case api.StatusCode >= http.StatusInternalServerError:
		return fmt.Sprintf("the workspace itself failed with HTTP %d: %s; run the command again", api.StatusCode, firstLine(err))
	}
	return firstLine(err)
}

// maxReason bounds an error of the workspace, in bytes.
const maxReason = 200

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "") + "…"
	}
	return text.Line(line)
}
