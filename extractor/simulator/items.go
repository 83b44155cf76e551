package simulator

// itemFormat prints the events of one point as TimedValues with the selected
// fields. Not safe for concurrent use.
type itemFormat struct {
	*itemLayout
	p     *profile
	stamp stampWriter // of the event, with the keys around it
	value stampWriter // of a value that is a timestamp
}

// itemLayout is what the formats of one call share.
type itemLayout struct {
	q      quirkSet
	before string     // before the timestamp; "" when that is not selected
	after  string     // between the timestamp, or the opening brace, and the value
	values bool       // values are selected
	errors bool       // errors are selected
	echo   string     // what texts end with, from JSON's closing quote back; "" = nothing more
	suffix [16]string // by flags: what follows the value, with } at the end
}

func newItemLayout(q quirkSet, sel *selection) *itemLayout {
	l := &itemLayout{q: q}
	has := func(name string) bool { _, ok := sel.in(name); return ok }
	open := "{"
	if has("Timestamp") {
		l.before, l.after = `{"Timestamp":"`, `Z"`
		open = ","
	}
	if l.values = has("Value"); l.values {
		l.after += open + `"Value":`
		open = ","
	}
	l.errors = has("Errors")
	for flags := range l.suffix {
		text, sep := "", open
		add := func(name, json string) {
			if has(name) {
				text += sep + `"` + name + `":` + json
				sep = ","
			}
		}
		boolean := func(flag uint8) string {
			if uint8(flags)&flag != 0 {
				return "true"
			}
			return "false"
		}
		add("UnitsAbbreviation", `""`)
		add("Good", boolean(flagGood))
		add("Questionable", boolean(flagQuestionable))
		add("Substituted", boolean(flagSubstituted))
		if q.has(PrintsAnnotated) {
			add("Annotated", boolean(flagAnnotated))
		}
		if sep == "{" {
			text = "{"
		}
		l.suffix[flags] = text + "}"
	}
	return l
}

// of returns a format for the events of one point.
func (l *itemLayout) of(p *profile) itemFormat {
	f := itemFormat{itemLayout: l, p: p, stamp: newStampWriter(l.before, l.after, !l.q.has(MixedFractions))}
	if p.typ == Timestamp {
		f.value = newStampWriter("", "Z", false)
	}
	return f
}

const valueError = `"Errors":[{"FieldName":"Value","Message":["[-11101] The value could not be converted."]}]}`

// append appends one event.
func (f *itemFormat) append(dst []byte, e *event) []byte {
	if f.before != "" {
		dst = f.stamp.append(dst, e.at)
	} else {
		dst = append(dst, f.after...)
	}
	if f.values {
		dst = f.appendValue(dst, e)
	}
	dst = append(dst, f.suffix[e.flags]...)
	if e.kind == failed && f.errors && !f.q.has(ValueErrorObjects) {
		if dst[len(dst)-2] == '{' {
			return append(dst[:len(dst)-1], valueError...)
		}
		dst[len(dst)-1] = ','
		dst = append(dst, valueError...)
	}
	return dst
}

func (f *itemFormat) appendValue(dst []byte, e *event) []byte {
	switch {
	case e.kind == failed && f.q.has(ValueErrorObjects):
		return append(dst, `{"Errors":["Calc Failed"]}`...)
	case e.kind == failed:
		return append(dst, "null"...)
	case e.kind == special:
		if f.q.has(BareNaN) {
			return append(dst, specialName(e)...)
		}
		dst = append(dst, '"')
		dst = append(dst, specialName(e)...)
		return append(dst, '"')
	case e.kind == system || f.p.typ == Digital:
		set, i := f.p.state(e)
		dst = append(dst, set.json[i]...)
		switch {
		case f.q.has(OmitIsSystem):
			return append(dst, '}')
		case e.kind == system:
			return append(dst, `,"IsSystem":true}`...)
		}
		return append(dst, `,"IsSystem":false}`...)
	case f.p.typ.number():
		return appendNumber(dst, f.p, e, f.q)
	}
	dst = appendText(dst, f.p, e, &f.value, true)
	if f.echo != "" && f.p.typ == String {
		dst = append(dst[:len(dst)-1], f.echo...)
	}
	return dst
}
