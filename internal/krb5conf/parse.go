package krb5conf

import (
	"fmt"
	"strings"
)

// parser reads the lines of one file.
type parser struct {
	*reader
	file  string
	above []string // the files that include this one, and itself
	line  int

	section string   // in lower case; "" before the first
	groups  []string // the open { }, outermost first
	waiting bool     // NAME = has come, and its { has not
}

// maxGroups is how deep { } may be nested: no known relation takes more than two.
const maxGroups = 16

func (p *parser) parse(text string) error {
	for line := range strings.Lines(text) {
		p.line++
		if err := p.one(strings.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
	if len(p.groups) > 0 {
		return p.wrong(1, fmt.Sprintf("the file ends inside of { }, that of %s", quote(p.groups[0])))
	}
	return nil
}

// one reads a line.
func (p *parser) one(line string) error {
	text := strings.TrimLeft(line, " \t")
	column := len(line) - len(text) + 1
	text = strings.TrimRight(text, " \t\v\f")
	for _, directive := range []string{"include", "includedir"} {
		if rest, ok := strings.CutPrefix(text, directive); ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') && !p.waiting {
			if path := strings.TrimSpace(rest); !strings.HasPrefix(path, "=") {
				return p.include(directive, path)
			}
		}
	}
	switch {
	case text == "" || text[0] == '#' || text[0] == ';':
		return nil
	case text[0] == '[':
		return p.begin(text, column)
	case p.section == "": // lines before the first section are ignored
		return nil
	case p.waiting:
		rest, ok := strings.CutPrefix(text, "{")
		if !ok {
			return p.wrong(column, "{ is missing before this line")
		}
		p.waiting = false
		return p.body(rest, column+1)
	case text[0] == '}' || len(p.groups) > 0 && p.inline(text):
		return p.body(text, column)
	default:
		return p.relation(text, column)
	}
}

// inline reports whether a line inside of { } closes it after its relation.
func (p *parser) inline(text string) bool {
	text = strings.TrimRight(uncommented(text), " \t")
	return strings.HasSuffix(text, " }") || strings.HasSuffix(text, "\t}")
}

// begin reads the header of a section.
func (p *parser) begin(text string, column int) error {
	name, rest, ok := strings.Cut(text[1:], "]")
	switch {
	case len(p.groups) > 0 || p.waiting:
		return p.wrong(column, "a section begins inside of { }")
	case !ok:
		return p.wrong(column, "a section's name ends without ]")
	}
	p.section = strings.ToLower(strings.TrimSpace(name))
	switch p.section {
	case libdefaults, realms, domainRealm:
		p.seen = true
	}
	rest, final := strings.CutPrefix(rest, "*")
	if final {
		p.soon[p.section] = true
	}
	if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' && rest[0] != ';' && p.ours() {
		return p.wrong(column, "there is more on the line of a section's name")
	}
	return nil
}

// The sections that are read.
const (
	libdefaults = "libdefaults"
	realms      = "realms"
	domainRealm = "domain_realm"
)

// ours reports whether the section is one that is read: others are not checked.
func (p *parser) ours() bool {
	return p.section == libdefaults || p.section == realms || p.section == domainRealm
}

// relation reads TAG = VALUE, or TAG = { with what follows on the line.
func (p *parser) relation(text string, column int) error {
	tag, value, ok := strings.Cut(text, "=")
	if !ok {
		if !p.ours() {
			return nil
		}
		return p.wrong(column, "this line is neither NAME = VALUE nor a [section], a { } or a comment")
	}
	tag = strings.TrimSpace(tag)
	at := column + len(text) - len(strings.TrimLeft(value, " \t"))
	value = strings.TrimSpace(value)
	switch {
	case value == "" || value[0] == '#' || value[0] == ';':
		p.waiting = true
		return p.open(tag, column)
	case value[0] == '{':
		if err := p.open(tag, column); err != nil {
			return err
		}
		return p.body(value[1:], at+1)
	case value[0] == '"':
		value = unquoted(value)
	default:
		value = strings.TrimSpace(uncommented(value))
	}
	return p.value(tag, value, column, at)
}

// open begins a { }.
func (p *parser) open(tag string, column int) error {
	if len(p.groups) == maxGroups {
		return p.wrong(column, fmt.Sprintf("{ } are more than %d deep in one another", maxGroups))
	}
	tag, final := strings.CutSuffix(tag, "*")
	tag = strings.TrimSpace(tag)
	p.groups = append(p.groups, tag)
	if p.section == realms && len(p.groups) == 1 {
		if !realmName.MatchString(tag) {
			return p.wrong(column, fmt.Sprintf("%s cannot be the name of a realm; allowed: one word, such as PLANT.EXAMPLE", quote(tag)))
		}
		if final {
			p.soon[realmKey(tag)] = true
		}
	}
	return nil
}

// body reads a line inside of { }: any number of relations, and the closing brace.
func (p *parser) body(text string, column int) error {
	whole := len(text)
	for len(p.groups) > 0 {
		text = strings.TrimLeft(text, " \t")
		at := column + whole - len(text)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
			return nil
		case text[0] == '}':
			p.shut(strings.HasPrefix(text, "}*"))
			text = strings.TrimPrefix(text[1:], "*")
			continue
		}
		tag, rest, ok := strings.Cut(text, "=")
		if !ok {
			if end := strings.IndexByte(text, '}'); end >= 0 && !p.ours() {
				text = text[end:]
				continue
			}
			if !p.ours() {
				return nil
			}
			return p.wrong(at, "between { and } there is something that is not NAME = VALUE")
		}
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, "{") {
			if err := p.open(strings.TrimSpace(tag), at); err != nil {
				return err
			}
			text = rest[1:]
			continue
		}
		value, behind := oneValue(rest)
		if err := p.value(strings.TrimSpace(tag), value, at, column+whole-len(rest)); err != nil {
			return err
		}
		text = behind
	}
	text = strings.TrimLeft(text, " \t")
	switch {
	case text == "" || text[0] == '#' || text[0] == ';' || !p.ours():
		return nil
	case text[0] == '}':
		return p.wrong(column+whole-len(text), "a } has no { before it")
	default:
		return p.wrong(column+whole-len(text), "there is more on the line behind }")
	}
}

// oneValue cuts a value from what follows it on a line inside of { }: the next NAME =, a
// }, a comment.
func oneValue(text string) (value, behind string) {
	end := len(text)
	if at := strings.IndexByte(text, '}'); at >= 0 {
		end = at
	}
	if at := len(uncommented(text)); at < end {
		return strings.TrimSpace(text[:at]), ""
	}
	if at := strings.IndexByte(text[:end], '='); at >= 0 {
		before := strings.TrimRight(text[:at], " \t")
		if word := strings.LastIndexAny(before, " \t"); word >= 0 {
			end = word
		}
	}
	return strings.TrimSpace(text[:end]), text[end:]
}

// shut ends the innermost { }.
func (p *parser) shut(final bool) {
	if final && p.section == realms && len(p.groups) == 1 {
		p.soon[realmKey(p.groups[0])] = true
	}
	p.groups = p.groups[:len(p.groups)-1]
}

// uncommented cuts off a comment after a value. # and ; may be part of values: a comment
// has space before it.
func uncommented(value string) string {
	for i := 1; i < len(value); i++ {
		if (value[i] == '#' || value[i] == ';') && (value[i-1] == ' ' || value[i-1] == '\t') {
			return value[:i]
		}
	}
	return value
}

// unquoted returns the text between quotes.
func unquoted(value string) string {
	var b strings.Builder
	for i := 1; i < len(value) && value[i] != '"'; i++ {
		c := value[i]
		if c == '\\' && i+1 < len(value) {
			i++
			switch c = value[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// wrong returns an error about a place in the line. It never shows the line: a file that
// was mistaken for a Kerberos configuration may be a secret.
func (p *parser) wrong(column int, what string) error {
	return fmt.Errorf("%s:%d:%d: %s", p.file, p.line, column, what)
}

func (p *parser) note(what string) {
	p.c.Notes = append(p.c.Notes, fmt.Sprintf("%s:%d: %s", p.file, p.line, what))
}

// quote returns a value as an error shows it.
func quote(s string) string {
	const max = 60
	if len(s) > max {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:max], ""))
	}
	return fmt.Sprintf("%q", s)
}
