package diag

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong. It is an error, and never holds a secret.
type Problem struct {
	File    string `json:"file,omitempty"`    // as the user named it; "" when no file is at fault
	Line    int    `json:"line,omitempty"`    // from 1; 0 when the file as a whole is meant
	Column  int    `json:"column,omitempty"`  // from 1, in characters; 0 when the line as a whole is meant
	Value   string `json:"value,omitempty"`   // the wrong value alone; Text has it too
	Text    string `json:"text"`              // what is wrong, with the value
	Allowed string `json:"allowed,omitempty"` // "" when it is not a matter of allowed values
	Also    string `json:"also,omitempty"`    // where else it is wrong, in words
	Hint    string `json:"hint,omitempty"`    // what to do
}

// Error returns "file:line:column: text; allowed: values", then the hint.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	if p.Allowed != "" {
		b.WriteString("; allowed: " + p.Allowed)
	}
	if p.Also != "" {
		b.WriteString(" (" + p.Also + ")")
	}
	return Hinted(b.String(), p.Hint)
}

// maxShown is how many problems of a list are printed: enough to mend a file in
// one go, few enough for one screen.
const maxShown = 10

// List is all that is wrong with one input, in order of position.
type List struct {
	Problems []Problem
	More     int // how many there are beyond Problems
}

// Error returns the first problems, one after the other, and how many more there are.
func (l *List) Error() string {
	shown := l.Problems[:min(len(l.Problems), maxShown)]
	lines := make([]string, 0, len(shown)+1)
	for _, p := range shown {
		lines = append(lines, p.Error())
	}
	if more := len(l.Problems) - len(shown) + l.More; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// hintLine begins the line of a hint.
const hintLine = "\nhint: "

// Hinted returns a text with its hint on a line of its own; the text alone when
// there is no hint.
func Hinted(text, hint string) string {
	if hint == "" {
		return text
	}
	return text + hintLine + hint
}

// WithHint returns err with a hint on what to do about it, which its text ends with.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return Hinted(h.err.Error(), h.hint) }
func (h *hinted) Unwrap() error { return h.err }
func (h *hinted) Hint() string  { return h.hint }

// Hint returns the hint of err, as it is printed: "" when it has none, and
// one line each when it has several.
func Hint(err error) string {
	var hints []string
	for _, p := range Problems(err) {
		if p.Hint != "" {
			hints = append(hints, p.Hint)
		}
	}
	return strings.Join(hints, "\n")
}

// Problems returns the problems in err one by one. What wrapping added to
// the text of a problem is in its Text. An error that is no problem of this package
// has its text, and the hint that a method Hint() string returns.
func Problems(err error) []Problem {
	switch e := err.(type) {
	case nil:
		return nil
	case Problem:
		return []Problem{e}
	case *List:
		return e.Problems
	}
	text, hint := err.Error(), ""
	if h, ok := err.(interface{ Hint() string }); ok {
		hint = h.Hint()
		text = strings.TrimSuffix(text, hintLine+hint)
	}
	return addHint(unwrapped(err, text), hint)
}

// unwrapped returns the problems of an error's causes, with what the error's text
// says around them; the text alone when no cause is more than its own text.
func unwrapped(err error, text string) []Problem {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			if all := within(cause, text); all != nil {
				return all
			}
		}
	case interface{ Unwrap() []error }:
		causes := e.Unwrap()
		if joined(causes, text) {
			var all []Problem
			for _, cause := range causes {
				all = append(all, Problems(cause)...)
			}
			return all
		}
		for _, cause := range causes {
			if all := within(cause, text); all != nil {
				return all
			}
		}
	}
	return []Problem{{Text: text}}
}

// within returns the problems of a cause that text repeats, with what stands before
// and after it; nil when the cause is no more than a text, or is not repeated.
func within(cause error, text string) []Problem {
	own := cause.Error()
	before, after, found := strings.Cut(text, own)
	problems := Problems(cause)
	if !found || len(problems) == 1 && problems[0] == (Problem{Text: own}) {
		return nil
	}
	before = before[strings.LastIndexByte(before, '\n')+1:] // a line before them is a heading
	all := make([]Problem, len(problems))
	for i, p := range problems {
		p.Text = before + p.Text + after
		all[i] = p
	}
	return all
}

// joined reports whether a text is that of its causes, one after the other, as
// errors.Join writes them.
func joined(causes []error, text string) bool {
	lines := make([]string, len(causes))
	for i, cause := range causes {
		lines[i] = cause.Error()
	}
	return strings.Join(lines, "\n") == text
}

// addHint adds a hint that was given for several problems together: to those that
// have none, and else to the last, behind which it is printed.
func addHint(problems []Problem, hint string) []Problem {
	if hint == "" {
		return problems
	}
	all := append([]Problem(nil), problems...)
	lacking := false
	for i := range all {
		if all[i].Hint == "" {
			all[i].Hint, lacking = hint, true
		}
	}
	if !lacking {
		all[len(all)-1].Hint += "\n" + hint
	}
	return all
}
