// Package inventory reads, checks and writes the list of PI tags that a
// pipeline extracts: inventory.csv, and, with the same header, the manifests of
// a bundle. It is pure: it reads from and writes to what it is given.
package inventory

// Tag is one PI point of a site, a row of the inventory.
type Tag struct {
	Site          string
	Name          string // as the server gives it; any characters but control characters
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

// Header is the first line of an inventory and of a manifest, as this package writes it.
const Header = "site,tag,web_id,point_type,engineering_units,digital_set,descriptor,tier,events_per_hour,future,point_id"
