package inventory

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tag is one PI point of a site, a row of the inventory.
type Tag struct {
	Site          string
	Name          string // as the server spells it; any characters but control characters
	WebID         string // opaque; "" until discovery resolves it
	PointType     string // PI's name of the type: Float32, Digital, String, …; "" when unknown
	Units         string // engineering units
	DigitalSet    string // name of the digital state set of a Digital point
	Descriptor    string
	Tier          string  // cadence class; "" means the first tier of the pipeline
	EventsPerHour float64 // expected rate; negative when unknown (0 is a known rate of none)
	Future        bool    // the point may hold data beyond now
	PointID       int64   // PI's own point id, unique in its data server; 0 until discovery resolves it
}

// MaxEventsPerHour is the highest rate that is accepted: 10,000 events a second
// of one point, far beyond what PI interfaces send.
const MaxEventsPerHour = 36_000_000

// Check returns an error for what Read would refuse of a tag by itself: an empty
// name, a text that is not UTF-8 or has control characters, a number out of range.
func Check(t *Tag) error {
	if t.Name == "" {
		return fmt.Errorf("a tag of site %s has no name", quote(t.Site))
	}
	for column, text := range [...]string{t.Site, t.Name, t.WebID, t.PointType, t.Units, t.DigitalSet, t.Descriptor, t.Tier} {
		if !clean(text) {
			return fmt.Errorf("tag %s: %s is %s: it has control characters, or is not UTF-8", quote(t.Name), columnNames()[column], quote(text))
		}
	}
	if t.EventsPerHour > MaxEventsPerHour || t.EventsPerHour != t.EventsPerHour {
		return fmt.Errorf(
			"tag %s: %v events per hour; allowed: 0 to %d, or below 0 for unknown",
			quote(t.Name),
			t.EventsPerHour,
			MaxEventsPerHour,
		)
	}
	if t.PointID < 0 {
		return fmt.Errorf("tag %s: point id %d; allowed: at least 1, or 0 for unknown", quote(t.Name), t.PointID)
	}
	return nil
}

// Clean returns s with a space for each control character and each byte that is
// not UTF-8, as it is allowed in an inventory. It is for descriptors and units as
// a server sends them; a name must not be changed.
func Clean(s string) string {
	if clean(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

func clean(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if stops[s[i]] && isControl(s, i) {
			return false
		}
	}
	return true
}
