package decode

import "errors"

var (
	errTwice   = errors.New("a stream or its items are there twice")
	errNoItems = errors.New("the body has no Items")
	errOrder   = errors.New("items that are not in order of time")
)

// lasting are the faults of valid JSON.
var lasting = []error{errTwice, errNoItems, errOrder, errNotArray, errNotItem, errNoTimestamp, errTimestamp, errRange}

// The methods here walk over the containers of a body, which need not fit the window.
// What they return from the window is valid until the next call.

// peek returns the next byte that is not a space, without stepping over it.
func (d *Decoder) peek() (byte, error) {
	w := &d.window
	for {
		if w.pos = skipSpace(w.buf[:w.end], w.pos); w.pos < w.end {
			return w.buf[w.pos], nil
		}
		if err := w.more(); err != nil {
			return 0, err
		}
	}
}

// value steps over the current value and returns its bytes.
func (d *Decoder) value() ([]byte, error) {
	w := &d.window
	if _, err := d.peek(); err != nil {
		return nil, err
	}
	for {
		next, err := skipValue(w.buf[:w.end], w.pos, 0)
		if err == nil {
			raw := w.buf[w.pos:next]
			w.pos = next
			return raw, nil
		}
		if err != errShort {
			return nil, w.fault(next, err)
		}
		if err := w.more(); err != nil {
			return nil, err
		}
	}
}

// text steps over the current value and appends its text to dst if it is a string.
func (d *Decoder) text(dst []byte) ([]byte, error) {
	raw, err := d.value()
	if err != nil || raw[0] != '"' {
		return dst, err
	}
	return unquote(dst, raw[1:len(raw)-1]), nil
}

// members steps over the current object. each is called for every key and steps over
// the value.
func (d *Decoder) members(each func(key []byte) error) error {
	w := &d.window
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c != '{' {
		return w.fault(w.pos, errNotItem)
	}
	w.pos++
	if c, err = d.peek(); err == nil && c == '}' {
		w.pos++
		return nil
	}
	for {
		key, err := d.key()
		if err != nil {
			return err
		}
		if err := each(key); err != nil {
			return err
		}
		more, err := d.comma('}', errObject)
		if err != nil || !more {
			return err
		}
	}
}

// key steps over a key and its colon.
func (d *Decoder) key() ([]byte, error) {
	w := &d.window
	if _, err := d.peek(); err != nil {
		return nil, err
	}
	for {
		key, value, err := skipKey(w.buf[:w.end], w.pos)
		if err == nil {
			raw := w.buf[w.pos+1 : key-1]
			w.pos = value
			return d.plain(raw), nil
		}
		if err != errShort {
			return nil, w.fault(value, err)
		}
		if err := w.more(); err != nil {
			return nil, err
		}
	}
}

// elements steps over the current array, or a null in its place. each is called for
// every element and steps over it.
func (d *Decoder) elements(each func() error) error {
	if more, err := d.array(); err != nil || !more {
		return err
	}
	for {
		if err := each(); err != nil {
			return err
		}
		more, err := d.comma(']', errArray)
		if err != nil || !more {
			return err
		}
	}
}

// array steps into the current array; more is false if it was empty or null, and has
// been stepped over.
func (d *Decoder) array() (more bool, err error) {
	w := &d.window
	c, err := d.peek()
	if err != nil {
		return false, err
	}
	if c == 'n' {
		_, err = d.value()
		return false, err
	}
	if c != '[' {
		return false, w.fault(w.pos, errNotArray)
	}
	w.pos++
	if c, err = d.peek(); err != nil {
		return false, err
	}
	if c == ']' {
		w.pos++
		return false, nil
	}
	return true, nil
}

// comma steps over what follows an element: a comma, and then there is more, or
// the closing byte.
func (d *Decoder) comma(closing byte, other error) (more bool, err error) {
	c, err := d.peek()
	if err != nil {
		return false, err
	}
	if c != ',' && c != closing {
		return false, d.window.fault(d.window.pos, other)
	}
	d.window.pos++
	if c == closing {
		return false, nil
	}
	_, err = d.peek()
	return true, err
}
