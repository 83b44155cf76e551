package simulator

import (
	"fmt"
	"net/http"
)

// problem is an answer that is not a result.
type problem struct {
	status int
	errors []string // printed as {"Errors":[…]}
	text   string   // without errors: printed as {"Message":"…"}
	html   bool     // text is a page of HTML
	hidden bool     // given as a WebException under HTTP 200
	header http.Header

	endless bool // no problem: a body of events without an end
	texts   bool // of an endless one: they are long texts
}

func badRequest(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, errors: []string{fmt.Sprintf(format, args...)}}
}

// notFound is for an object that is not there.
func notFound(format string, args ...any) *problem {
	return &problem{status: http.StatusNotFound, errors: []string{fmt.Sprintf(format, args...)}}
}

// noRoute is for a path that leads nowhere.
func noRoute(uri string) *problem {
	return &problem{status: http.StatusNotFound, text: "No HTTP resource was found that matches the request URI '" + uri + "'."}
}

func wrongMethod(method string) *problem {
	return &problem{status: http.StatusMethodNotAllowed, text: "The requested resource does not support http method '" + method + "'."}
}

// beyondSimulator is for what a real server can do and this one cannot.
func beyondSimulator(what string) *problem {
	return &problem{status: http.StatusNotImplemented, errors: []string{what + " is beyond this simulator."}}
}

func denied() *problem {
	return &problem{status: http.StatusUnauthorized, text: "Authorization has been denied for this request."}
}

func tooMany() *problem {
	return &problem{status: http.StatusTooManyRequests, text: "Rate limit was reached"}
}

// appendJSON appends the problem's body.
func (p *problem) appendJSON(dst []byte) []byte {
	if p.hidden {
		dst = append(dst, `{"WebException":{"Errors":`...)
		dst = appendStrings(dst, p.errors)
		return fmt.Appendf(dst, `,"StatusCode":%d}}`, p.status)
	}
	if p.errors != nil {
		dst = append(dst, `{"Errors":`...)
		dst = appendStrings(dst, p.errors)
		return append(dst, '}')
	}
	dst = append(dst, `{"Message":`...)
	dst = appendJSONString(dst, p.text)
	return append(dst, '}')
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, s)
	}
	return append(dst, ']')
}

// unread is the only item of a tag that may not be read, under the quirk NoAccessItems.
const unread = `{"Timestamp":"1970-01-01T00:00:00Z","Value":null,"Good":false,"Errors":["[-10401] No Read Access - Secure Object"]}`

// problem returns the answer to a read of the tag.
func (f TagFault) problem(name string) *problem {
	switch f {
	case FaultPermission:
		return &problem{status: http.StatusInternalServerError, errors: []string{"[-10401] No Read Access - Secure Object. Point: " + name}}
	case FaultSummary:
		return &problem{status: http.StatusInternalServerError, errors: []string{"[-11059] No Good Data For Calculation. Point: " + name}}
	case FaultTimeout:
		return &problem{status: http.StatusInternalServerError, errors: []string{"[-10733] PINET: Timeout on PI RPC or System Call. Point: " +
			name}}
	case FaultNotFound:
		return notFound("PI Point not found '%s'.", name)
	case FaultException:
		return &problem{status: http.StatusInternalServerError, hidden: true,
			errors: []string{"[-11091] Event collection exceeded the maximum allowed. Point: " + name}}
	}
	return nil
}
