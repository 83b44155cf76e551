// Package decode turns PI Web API response bodies into columns, without a struct or
// an allocation per event. It reads a body as a stream through a buffer that it
// reuses, and knows nothing of the network.
//
// There are two paths through an item. The generic one reads any JSON object, with
// its keys in any order. From it the decoder learns the item's shape: the constant
// bytes around the timestamp and the value. The items that follow are compared with
// these bytes, and only the two parts between them are parsed. An item that differs
// takes the generic path. Both paths yield the same events, which the tests check
// against encoding/json.
//
// What a value becomes:
//
//	number, NaN, Infinity, -Infinity   HasValue
//	string                             HasText (of a numeric point: the quoted "NaN" and so on are numbers)
//	{"Name":"…","Value":3,…}           HasText and HasCode, whatever the point's type
//	true, false, array, other object   HasText: the JSON, unchanged
//	null, or any with an error         none of the three
//
// A flag (Good, Questionable, Substituted, Annotated) is set only by a printed true.
// Timestamps are cut to 100 ns.
package decode
