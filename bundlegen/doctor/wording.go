package doctor

import (
	"maps"
	"slices"
	"strings"
)

// Fault is what is wrong, for programs. Names are never reused for something else.
type Fault string

// The faults of a site, in the order in which they are looked for.
const (
	VariableUnset Fault = "variable-unset" // in the words of config
	BadSettings   Fault = "bad-settings"   // in the words of whoever reads them

	UnknownHost  Fault = "unknown-host"
	DNSFails     Fault = "dns-fails"
	PortClosed   Fault = "port-closed"
	NoRoute      Fault = "no-route"
	NoConnection Fault = "no-connection"
	ProxyRefuses Fault = "proxy-refuses"

	CertificateName      Fault = "certificate-name"
	CertificateExpired   Fault = "certificate-expired"
	CertificateNotYet    Fault = "certificate-not-yet-valid"
	CertificateAuthority Fault = "certificate-authority"
	CertificateExpires   Fault = "certificate-expires"
	CertificateInvalid   Fault = "certificate-invalid"
	OldTLS               Fault = "old-tls"
	NoTLS                Fault = "no-tls"

	RedirectElsewhere Fault = "redirect-elsewhere"
	LoginPage         Fault = "login-page"
	AnswersEverything Fault = "answers-everything"
	NotPI             Fault = "not-pi"
	WrongPath         Fault = "wrong-path"
	Gateway           Fault = "gateway"
	NoAnswer          Fault = "no-answer"
	TooSlow           Fault = "too-slow"
	ServerFails       Fault = "server-fails"
	BadAnswer         Fault = "bad-answer"

	NoCredentials      Fault = "no-credentials"
	KindNotOffered     Fault = "kind-not-offered"
	WrongCredentials   Fault = "wrong-credentials"
	TicketRefused      Fault = "ticket-refused"
	Forbidden          Fault = "forbidden"
	AnonymousOverrides Fault = "anonymous-overrides"
	OldVersion         Fault = "old-version"

	NoDataServer      Fault = "no-data-server"
	UnknownDataServer Fault = "unknown-data-server"
	SeveralServers    Fault = "several-data-servers"
	Disconnected      Fault = "disconnected"
	NoPoints          Fault = "no-points"
	SourceUnfiltered  Fault = "source-unfiltered"
	Unreadable        Fault = "unreadable-points"
	UnknownTags       Fault = "unknown-tags"

	ClockOff    Fault = "clock-off"
	ClockWrong  Fault = "clock-wrong"
	ItemCap     Fault = "item-cap"
	URLLimit    Fault = "url-limit"
	CSRFOff     Fault = "csrf-off"
	CountsMore  Fault = "counts-more"
	RateLimited Fault = "rate-limited"
	Flaky       Fault = "flaky"
	Slows       Fault = "slows-down"
)

// KerberosFault is the fault of a login of that kind: kerberos-no-kdc. Its sentences
// are those of the login's own error.
func KerberosFault(kind string) Fault { return Fault("kerberos-" + kind) }

// sentence words a fault. {words} in braces are filled in.
type sentence struct{ what, cure string }

var sentences = map[Fault]sentence{
	UnknownHost: {"DNS does not know the host {host}",
		"correct the host in {key}, or let this machine ask the DNS server that knows it (VPN, search domain)"},
	DNSFails: {"DNS does not answer for {host}", "see to this machine's DNS: the name server that it asks fails or cannot be reached"},
	PortClosed: {"nothing listens at {address}: connection refused",
		"correct host and port in {key}, or start the service; PI Web API listens on 443 unless it was installed otherwise"},
	NoRoute: {"this machine has no route to {address}", "connect the VPN, or add the route"},
	NoConnection: {"no connection to {address} within {timeout}",
		"open the way from this machine to the server: firewall, route, VPN, or sites[].proxy; check the port in {key}"},
	ProxyRefuses: {"the proxy {proxy} refuses the way to {host}: {status}",
		"let the proxy's administrators allow {host}, give sites[].proxy a user, or exclude the host by NO_PROXY"},

	CertificateName: {"the server's certificate is not for {host}, but for {names}",
		"write one of its names in sites[].url, or have a certificate issued for {host}"},
	CertificateExpired: {"the server's certificate expired on {until}", "have it renewed; if that is wrong, set this machine's clock"},
	CertificateNotYet:  {"the server's certificate is not valid before {from}", "set this machine's clock, or wait"},
	CertificateAuthority: {"nobody this machine trusts has signed the server's certificate; its issuer is {issuer}",
		"name that authority's certificate in sites[].tls.ca_file; if an intermediate one signed it, have the server send that too"},
	CertificateExpires: {"the server's certificate expires on {until}, in {days} days",
		"have it renewed before: afterwards nothing is read"},
	CertificateInvalid: {"the server's certificate is not valid: {reason}", "have a certificate for servers issued by your authority"},
	OldTLS:             {"the server has no TLS 1.2", "enable TLS 1.2 on the server (Schannel registry keys), or update Windows"},
	NoTLS:              {"{address} does not speak TLS", "correct the port in sites[].url"},

	RedirectElsewhere: {"the server, or what stands before it, redirects to {target}",
		"sign in to the network if that is a captive portal; exclude PI Web API from the sign-in gateway; or write the address it " +
			"leads to in sites[].url"},
	LoginPage: {"a sign-in page answers at {url}",
		"exclude PI Web API's path from the gateway's sign-in page, or address the server behind it"},
	AnswersEverything: {"the server answers every address alike, also {url}: it is no PI Web API",
		"correct sites[].url; a captive portal or a default web site stands there"},
	NotPI: {"what answers at {url} is no PI Web API: {said}",
		"correct sites[].url: a browser that opens it shows the links of PI Web API"},
	WrongPath: {"there is nothing at {url}, but PI Web API answers at {other}", "write url: {other}"},
	Gateway:   {"a gateway answers {status} for the server", "start PI Web API, or see to the way from the gateway to it"},
	NoAnswer: {"the connection broke off before an answer: {said}",
		"look for what closes connections: a firewall, a proxy, the service itself"},
	TooSlow:     {"no whole answer within {timeout}", "see why the server is slow; doctor waits longer with --timeout"},
	ServerFails: {"the server fails ({status}): {said}", "look at PI Web API's and the PI Data Archive's logs at this time"},

	NoCredentials: {"the server wants {offers}, and sites[].auth is anonymous", "write the kind and the account in sites[].auth"},
	KindNotOffered: {"the server offers {offers}, and sites[].auth is {kind}",
		"take a kind that it offers, or add {method} to PI Web API's AuthenticationMethods (PI System Explorer, Configuration)"},
	WrongCredentials: {"the server does not accept the {proof} of sites[].auth",
		"check the account, and that {variable} holds its present {proof}; one attempt was made, since accounts get locked"},
	TicketRefused: {"the server does not accept the Kerberos ticket for {spn}",
		"register {spn} on the account that runs PI Web API, and on no other (setspn -Q {spn}); restart PI Web API after a new " +
			"password; set clocks by NTP"},
	Forbidden: {"the account may not use PI Web API ({status}): {said}",
		"give it read access: PI Web API's and the gateway's own rules, then PI SMT, Mappings & Trusts"},
	AnonymousOverrides: {"the server lets everybody in: it does not look at the account of sites[].auth",
		"take Anonymous out of PI Web API's AuthenticationMethods, which overrides all others; or write auth: {kind: anonymous}"},
	OldVersion: {"PI Web API {version} is older than 2017 R2 (1.10)",
		"update it; until then calls are narrower, since its WebIDs are long"},

	NoDataServer: {"the account sees no PI Data Archive",
		"map it to a PI identity (PI SMT, Mappings & Trusts), and add the archive to PI Web API's known servers"},
	UnknownDataServer: {"there is no PI Data Archive {name}; there is {names}", "write one of them in sites[].data_server"},
	SeveralServers:    {"there are several PI Data Archives: {names}", "name one in sites[].data_server"},
	Disconnected: {"PI Web API is not connected to the PI Data Archive {name}",
		"start the archive, or see to the connection from PI Web API's machine (port 5450)"},
	NoPoints: {"the account sees no point of {name}",
		"give its PI identity read access to points and their data (PI SMT, database security: PIPOINT; point and data security)"},
	SourceUnfiltered: {"the server does not filter points by point_source, as old ones do", "name the points by sites[].points.include"},
	Unreadable:       {"{failed} of {asked} sampled points cannot be read: {kinds}", "{cure}"},
	UnknownTags: {"the server does not know {lost} of {asked} sampled tags of the inventory: {names}",
		"run bundlegen discover; if they exist, give the account read access to them"},

	ClockOff: {"{whose} clock is {off} {direction} this machine's", "set both by NTP; events are read up to the earlier of the two"},
	ClockWrong: {"{whose} clock shows {time}, {off} {direction} this machine's",
		"set both by NTP: a clock that is more than a day off is not believed, and Kerberos allows five minutes"},
	ItemCap: {"the server returns at most {cap} items a call, and sites[].limits.items_per_call is {limit}",
		"write items_per_call: {cap}, or raise MaxReturnedItemsPerCall on the server"},
	URLLimit: {"the server, or what stands before it, takes URLs of at most {bytes} bytes; calls of {wanted} read faster",
		"raise the limit of the proxy or gateway (large_client_header_buffers, maxUrl), or of HTTP.sys (UrlSegmentMaxLength, " +
			"MaxRequestBytes)"},
	CSRFOff: {"the server takes a POST without X-Requested-With: its defence against cross-site requests is off",
		"set EnableCSRFDefense in PI Web API's configuration: any web page can write to PI by a user's browser otherwise"},
	CountsMore: {"the server counts {counted} events of {asked} sampled points, and returns {returned}",
		"compare the archive's data of {name} in PI SMT; completeness will be reported below what was landed"},
	RateLimited: {"the server throttled {times} requests (429) at up to {rate} a second",
		"lower sites[].limits.requests_per_second, or raise RateLimitMaxRequests; behind NAT all machines share one limit"},
	Flaky: {"{times} of {requests} requests failed and were sent again: {states}",
		"see to the proxy or gateway between, or to PI Web API's log at this time; extraction sends such requests again too, " +
			"which takes its time"},
	Slows: {"the server slows down beyond {calls} calls at once", "write sites[].limits.connections: {calls}"},
}

// Note is what a check found where nothing is wrong.
type Note string

// The notes of site checks.
const (
	VariablesSet    Note = "variables-set"
	SettingsRead    Note = "settings-read"
	HostKnown       Note = "host-known"
	Connected       Note = "connected"
	Certified       Note = "certified"
	AsksSignIn      Note = "asks-for-sign-in"
	AnswersOpenly   Note = "answers-openly"
	SignedIn        Note = "signed-in"
	AnyoneMayRead   Note = "anyone-may-read"
	Version         Note = "version"
	VersionHidden   Note = "version-hidden"
	ServerConnected Note = "server-connected"
	PointsSeen      Note = "points-seen"
	SampleRead      Note = "sample-read"
	NoSample        Note = "no-sample"
	TagsKnown       Note = "tags-known"
	NoTags          Note = "no-tags"
	ClocksAgree     Note = "clocks-agree"
	ItemsAllowed    Note = "items-allowed"
	URLAllowed      Note = "url-allowed"
	CSRFOn          Note = "csrf-on"
	CSRFUnknown     Note = "csrf-unknown"
	Gzip            Note = "gzip"
	NoGzip          Note = "no-gzip"
	CountsEqual     Note = "counts-equal"
	CountsGoodOnly  Note = "counts-good-only"
	CountsNot       Note = "counts-not"
	ExactBounds     Note = "exact-bounds"
	RoundedBounds   Note = "rounded-bounds"
	NoBounds        Note = "no-bounds"
	Unthrottled     Note = "unthrottled"
	Profiled        Note = "profiled"
)

var notes = map[Note]string{
	VariablesSet:    "{variables} set",
	SettingsRead:    "url, auth and tls are as they should be",
	HostKnown:       "{host} is {addresses}",
	Connected:       "{address} in {time}",
	Certified:       "{version}, certificate of {issuer}, valid to {until}",
	AsksSignIn:      "asks for {offers}",
	AnswersOpenly:   "answers without a sign-in",
	SignedIn:        "{kind}: accepted",
	AnyoneMayRead:   "anonymous: accepted",
	Version:         "{product} {version}",
	VersionHidden:   "the account may not see the version",
	ServerConnected: "{name}, connected",
	PointsSeen:      "{points} seen",
	SampleRead:      "{events} of {points} read, of one hour",
	NoSample:        "no point to read",
	TagsKnown:       "{tags} of the inventory looked up, all there",
	NoTags:          "the inventory has no tag of this site yet",
	ClocksAgree:     "within {off} of this machine's",
	ItemsAllowed:    "{items} a call",
	URLAllowed:      "{bytes} bytes",
	CSRFOn:          "a POST without X-Requested-With is refused",
	CSRFUnknown:     "no batch to try it with ({status})",
	Gzip:            "answers are packed for who asks; extraction does not ask",
	NoGzip:          "answers are never packed; extraction would not ask",
	CountsEqual:     "counts and events agree: {events}",
	CountsGoodOnly:  "the server counts good values only: {counted} of {events}; validate allows for that",
	CountsNot:       "the server cannot count events; validate reads a sample instead",
	ExactBounds:     "to 100 ns",
	RoundedBounds:   "the server rounds bounds; what is beyond them is dropped",
	NoBounds:        "no event to try it with",
	Unthrottled:     "{requests} sent, none throttled",
	Profiled:        "{request} a call, {tag} a tag, {calls} at once, {values} events/s",
}

// Fine makes the finding of a check that found nothing wrong.
func Fine(check, subject string, note Note, args Args) Finding {
	return Finding{Check: check, Subject: subject, State: OK, What: args.fill(notes[note])}
}

// Unchecked makes the finding of a check that was not made.
func Unchecked(check, subject string) Finding {
	return Finding{Check: check, Subject: subject, State: Skipped, What: "not checked, since a check before it failed"}
}

// Faults lists all faults that have a sentence of their own, in order of name.
func Faults() []Fault { return slices.Sorted(maps.Keys(sentences)) }

// Args are what sentences are filled in with.
type Args map[string]string

// New makes the finding of a fault, in the words of its sentence.
func New(state State, check, subject string, fault Fault, args Args) Finding {
	s := sentences[fault]
	return Finding{Check: check, Subject: subject, State: state, Fault: fault, What: args.fill(s.what), Cure: args.fill(s.cure)}
}

// fill puts the args in place of the words in braces.
func (a Args) fill(text string) string {
	pairs := make([]string, 0, 2*len(a))
	for name, value := range a {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
