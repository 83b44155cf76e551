package simulator

import (
	"fmt"
	"net/http"
	"strings"
)

// pageThatFails is the size of a page beyond which it fails under LargePagesFail.
const pageThatFails = 500

// hugePage is the size of a page under the fault HugePage, in bytes.
const hugePage = 240 << 20

// longText is what texts without an end are made of.
var longText = strings.Repeat("the valve is neither open nor closed; ", 20)

// inventedPoints lists points that do not exist: as many as requested, or a page of
// 240 MB. None is listed twice.
func (c *call) inventedPoints(start, limit int, huge bool) {
	b := c.out
	b.buf = append(b.buf, `{"Links":{},"Items":[`...)
	written := 0
	for i := 0; huge && written < hugePage || !huge && i < limit; i++ {
		before := len(b.buf)
		if i > 0 {
			b.buf = append(b.buf, ',')
		}
		id := start + i + 1
		b.buf = fmt.Appendf(b.buf, `{"WebId":"I1DPinvented%020d","Id":%d,"Name":"INVENTED.%d","Descriptor":"a point that nobody made, `+
			`number %d","PointType":"Float32","DigitalSetName":"","EngineeringUnits":"m","Future":false}`, id, id, id, id)
		written += len(b.buf) - before
		if !b.spill() {
			return
		}
	}
	b.buf = append(b.buf, "]}"...)
}

// endless writes events until nobody reads them, of numbers or of texts.
func (b *body) endless(texts bool) {
	b.buf = append(b.buf[:0], `{"Items":[{"Timestamp":"2020-01-01T00:00:00Z","Value":0}`...)
	for i := 0; b.spill(); i++ {
		if texts {
			b.buf = fmt.Appendf(b.buf, `,{"Timestamp":"2020-01-01T00:00:00Z","Value":"%d %s","Good":true}`, i, longText)
			continue
		}
		b.buf = append(b.buf, `,{"Timestamp":"2020-01-01T00:00:00Z","Value":1.5,"Good":true,"Questionable":false,"Substituted":false}`...)
	}
}

// echoOf returns what a server that EchoesCredentials prints of a call: "" without credentials.
func (s *Server) echoOf(r *http.Request) string {
	sent := r.Header.Get("Authorization")
	if sent == "" || !s.archive.quirks.has(EchoesCredentials) {
		return ""
	}
	text := " (sent: " + sent
	if _, password, ok := r.BasicAuth(); ok {
		text += ", password " + password
	} else if _, token, ok := strings.Cut(sent, " "); ok {
		text += ", token " + token
	}
	return text + ")"
}

// appendException appends the problem's body as ASP.NET writes it.
func (p *problem) appendException(dst []byte) []byte {
	text := p.text
	if p.errors != nil {
		text = strings.Join(p.errors, "; ")
	}
	dst = append(dst, `{"Message":"An error has occurred.","ExceptionMessage":`...)
	dst = appendJSONString(dst, text)
	return append(dst, `,"ExceptionType":"System.Exception","StackTrace":"   at OSIsoft.REST"}`...)
}

// layout returns the layout of the call's items.
func (c *call) layout(sel *selection) *itemLayout {
	l := newItemLayout(c.archive.quirks, sel)
	if c.echo != "" {
		quoted := appendJSONString(nil, c.echo)
		l.echo = string(quoted[1:])
	}
	return l
}
