// Package callsize is what a call to PI Web API may hold. The extractor keeps these limits,
// and a plan forecasts by them: they stand here, so that the two cannot differ.
package callsize

const (
	// MaxItems is MaxReturnedItemsPerCall of a server that nobody has configured.
	MaxItems = 150_000
	// MaxURL is the length of a whole URL, in bytes: 16 KB, which is what HTTP.sys takes,
	// with room for what a proxy adds.
	MaxURL = 15_900
	// URLHead is about what stands before the streams, in bytes.
	URLHead = 500
	// MaxStreams is the most streams of one call, whatever else is allowed.
	MaxStreams = 1000
	// MinStreams is how many streams a call has at least, if there are so many: it is
	// not made smaller only to use a connection.
	MinStreams = 25
	// Headroom is how many more items than expected a call leaves room for.
	Headroom = 1.25
	// Spare is that room beyond Headroom, in items a stream: a page that is exactly full
	// has to be asked for again.
	Spare = 8
	// EventsPerHour is assumed of a tag whose rate nobody knows.
	EventsPerHour = 180
	// PointsPerPage is how many points a page of a listing asks for: some megabytes. It is
	// independent of MaxItems, which is about events.
	PointsPerPage = 10_000
)
