// Package decode turns PI Web API response bodies into columns: from bytes to
// column values, without a struct or an allocation an event. It reads a body as
// a stream through a buffer that it keeps; it knows nothing of the network.
//
// There are two ways through an item. The generic one reads any JSON object,
// its keys in any order. As it does, it learns the item's shape: the constant
// bytes around the timestamp and the value. Items that follow are compared with
// these bytes, and only the two spans between them are parsed; whatever differs
// in the least goes the generic way. Both ways give the same events, which the
// tests check against encoding/json.
//
// What a value becomes:
//
//	number, NaN, Infinity, -Infinity   HasValue
//	string                             HasText (of a numeric point: the quoted "NaN" and so on are numbers)
//	{"Name":"…","Value":3,…}           HasText and HasCode, whatever the point's type
//	true, false, array, other object   HasText: the JSON as it stands
//	null, or any with an error         none of the three
//
// A flag (Good, Questionable, Substituted, Annotated) is set by a printed true
// and by nothing else. Timestamps are cut to 100 ns.
package decode
