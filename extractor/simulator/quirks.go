package simulator

import (
	"fmt"
	"strings"
)

// Quirk is a way in which PI Web API servers differ from one another, or from
// what one would expect. Each is a switch with a name.
type Quirk uint8

// The quirks. The table below, which Quirks returns, describes each one when on and
// when off.
const (
	SilentTruncation Quirk = iota
	EmptyPointsLinks
	DuplicateTimestamps
	OneTimestampPage
	InclusiveEnds
	MixedFractions
	SystemStates
	ValueErrors
	ValueErrorObjects
	NoAccessItems
	NotConnected
	WebExceptions
	CutBodies
	OverCapRefused
	RateLimitInBatch
	BatchMultiStatus
	RequestTemplates
	CSRFDefense
	ShuffledStreamSets
	HTMLErrors
	AuthHeaderJoined
	AuthHeaderBasicFirst
	AuthLoop
	WholeSetFails
	CapByMaxCount
	BareNaN
	Float32Shortest
	OmitIsSystem
	PrintsAnnotated
	WebIDTypeIgnored
	AnswersDefaultWebID
	NoSummary
	NoCountSummary
	CountGoodOnly
	RetryAfter
	URLTooLong400
	RoundedBounds
	SpecialFloats
	OddNames
	BatchCap
	OddTexts
	DuplicateNames
	NoSourceFilter
	LargePagesFail
	IgnoresMaxCount
	ExceptionMessages
	EchoesCredentials
	quirkCount
)

// QuirkInfo describes a Quirk.
type QuirkInfo struct {
	Quirk   Quirk
	Name    string // as ParseQuirk reads it
	Default bool   // on unless Options turn it off
	Doc     string
}

var quirkTable = [quirkCount]QuirkInfo{
	{SilentTruncation, "silent-truncation", true, "a recorded answer cut at maxCount does not show it; off: a stream's answer has Links.Next"},
	{EmptyPointsLinks, "empty-points-links", true, "a page of points has Links {}; off: First, Previous, Next, Last"},
	{DuplicateTimestamps, "duplicate-timestamps", true, "events share timestamps; on some tags nearly all do, so that page breaks fall among them"},
	{OneTimestampPage, "one-timestamp-page", true, "some tags have a burst of events with one timestamp each hour, larger than a default page"},
	{InclusiveEnds, "inclusive-ends", true, "both ends of a range belong to it; off: the start does not"},
	{MixedFractions, "mixed-fractions", true, "timestamps have 0 to 7 fractional digits; off: whole milliseconds, printed with 7 digits"},
	{SystemStates, "system-states", true, "system states (I/O Timeout, Shutdown, ...) occur on points of every type"},
	{ValueErrors, "value-errors", true, "some values are null, with Errors next to Good true"},
	{ValueErrorObjects, "value-error-objects", false, "the values of value-errors are {\"Errors\":[\"Calc Failed\"]} next to Good false; off: null with Errors"},
	{NoAccessItems, "no-access-items", false, "a tag without permission answers one item of 1970 with Errors; off: the call gets 500"},
	{NotConnected, "not-connected", false, "the data server reports IsConnected false"},
	{WebExceptions, "web-exception", false, "every 25th call that reads streams answers 200 with a WebException"},
	{CutBodies, "cut-bodies", false, "every 25th call that reads streams has its body cut off"},
	{OverCapRefused, "over-cap-400", true, "more items than MaxReturnedItemsPerCall are refused; off: there is no cap"},
	{RateLimitInBatch, "rate-limit-in-batch", true, "the parts of a batch count as requests and may get 429 each"},
	{BatchMultiStatus, "batch-multi-status", true, "a batch answers 207 and a failed parent's child has a bare string; off: 200 and an Errors object"},
	{RequestTemplates, "request-template", true, "a batch may have RequestTemplates; off: 400, as on older servers"},
	{CSRFDefense, "csrf-defense", true, "a POST, PUT, PATCH or DELETE without X-Requested-With gets 400"},
	{ShuffledStreamSets, "shuffled-streamsets", true, "a stream set's items come in another order than requested"},
	{HTMLErrors, "html-502", false, "every 25th call gets 502 or 503 with HTML, as from a proxy"},
	{AuthHeaderJoined, "auth-header-joined", false, "the offers of a 401 are one WWW-Authenticate joined by commas; off: a line each"},
	{AuthHeaderBasicFirst, "auth-header-basic-first", false, "Basic comes before Negotiate among the offers; off: after"},
	{AuthLoop, "auth-loop", false, "the right credentials get 401, too"},
	{WholeSetFails, "whole-set-fails", true, "one bad tag fails a whole stream set call; off: 207, and its item has a WebException"},
	{CapByMaxCount, "cap-by-max-count", true, "the cap counts streams x maxCount; off: the items that would be returned"},
	{BareNaN, "bare-nan", false, "NaN and Infinity are bare tokens; off: quoted"},
	{Float32Shortest, "float32-shortest", false, "Float32 values are printed as short as they can be; off: widened to 17 digits"},
	{OmitIsSystem, "omit-is-system", false, "digital states have no IsSystem, as on old servers"},
	{PrintsAnnotated, "prints-annotated", true, "events have Annotated; off: they do not, as on old servers"},
	{WebIDTypeIgnored, "web-id-type-ignored", false, "webIdType is ignored, as on old servers"},
	{AnswersDefaultWebID, "answers-default-web-id", true, "a stream set without webIdType answers with WebIDs of the server's kind; off: of the request's kind"},
	{NoSummary, "no-summary", false, "there is no summary: 404"},
	{NoCountSummary, "no-count-summary", false, "there is no summary of type Count: 501"},
	{CountGoodOnly, "count-good-only", false, "the event-weighted Count counts good events only; off: all"},
	{RetryAfter, "retry-after", false, "a 429 has Retry-After: 1"},
	{URLTooLong400, "url-too-long-400", false, "a URL that is too long gets 400; off: 414"},
	{RoundedBounds, "rounded-bounds", false, "ranges are widened to multiples of 1/65536 s, so that a few events beyond them are returned"},
	{SpecialFloats, "special-floats", true, "NaN and infinities occur on floating-point points"},
	{OddNames, "odd-names", true, "a few tags have names with commas, quotes, ../, emoji, or 400 characters"},
	{BatchCap, "batch-cap", false, "a batch of more than 500 requests is refused with 400"},
	{OddTexts, "odd-texts", false, "some descriptors and units have tabs, line breaks, NUL, DEL or C1 characters, and so has one name"},
	{DuplicateNames, "twin-names", false, "some points have names that differ only in case, beyond ASCII too"},
	{NoSourceFilter, "no-source-filter", false, "lists of points ignore sourceFilter, as on old servers"},
	{LargePagesFail, "large-pages-fail", false, "a page of more than 500 points gets 504 with HTML, as from a gateway"},
	{IgnoresMaxCount, "ignores-max-count", false, "recorded values go to the end of the range, whatever maxCount is"},
	{ExceptionMessages, "exception-messages", false, "errors are ASP.NET's: a generic Message and an ExceptionMessage"},
	{EchoesCredentials, "echoes-credentials", false, "errors, names, descriptors, states and texts hold the Authorization header and the password that came with the call"},
}

// Quirks lists all quirks, in a fixed order.
func Quirks() []QuirkInfo { return append([]QuirkInfo(nil), quirkTable[:]...) }

// String returns the quirk's name.
func (q Quirk) String() string {
	if q < quirkCount {
		return quirkTable[q].Name
	}
	return fmt.Sprintf("quirk %d", uint8(q))
}

// ParseQuirk finds a quirk by its name. The error lists all names.
func ParseQuirk(name string) (Quirk, error) {
	names := make([]string, 0, quirkCount)
	for _, q := range quirkTable {
		if q.Name == name {
			return q.Quirk, nil
		}
		names = append(names, q.Name)
	}
	return 0, fmt.Errorf("there is no quirk %q; allowed: %s", name, strings.Join(names, ", "))
}

// quirkSet is a set of quirks.
type quirkSet uint64

func (s quirkSet) has(q Quirk) bool { return s&(1<<q) != 0 }

func (s quirkSet) with(q Quirk, on bool) quirkSet {
	if on {
		return s | 1<<q
	}
	return s &^ (1 << q)
}

// quirks returns the set that the options describe.
func (o Options) quirks() quirkSet {
	var s quirkSet
	for _, q := range quirkTable {
		s = s.with(q.Quirk, q.Default)
	}
	for _, q := range o.Quirks {
		s = s.with(q, true)
	}
	for _, q := range o.WithoutQuirks {
		s = s.with(q, false)
	}
	return s
}
