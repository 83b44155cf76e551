package manifest

// SitesVersion is the version of sites.json that this program writes and reads.
const SitesVersion = 1

// Sites is the content of sites.json: how the tasks reach each PI server. It
// holds names of environment variables, never a secret.
type Sites struct {
	Version int    `json:"version"`
	Sites   []Site `json:"sites"`

	// Elsewhere names the sites that other bundles of the pipeline land, those of
	// other regions: what the tables say of them is not this bundle's business.
	Elsewhere []string `json:"elsewhere,omitempty"`
}

// Site is one PI Web API endpoint with its own credentials, retry policy and request budget.
type Site struct {
	Name       string `json:"name"`
	URL        string `json:"url"`         // ends in /piwebapi, without a slash after it
	DataServer string `json:"data_server"` // "" = the only one there is
	Auth       Auth   `json:"auth"`
	TLS        TLS    `json:"tls,omitzero"`
	Proxy      string `json:"proxy,omitempty"` // "" = as the environment says (HTTPS_PROXY, NO_PROXY)
	Limits     Limits `json:"limits"`
	Retry      Retry  `json:"retry"`
	Points     Points `json:"points,omitzero"`
	AdoptNew   bool   `json:"adopt_new,omitempty"` // new points join partitions in a run
}

// Auth is how to authenticate. The fields ending in Env name environment
// variables that hold the secret itself.
type Auth struct {
	Kind        string `json:"kind"` // basic, bearer, kerberos, anonymous
	Username    string `json:"username,omitempty"`
	PasswordEnv string `json:"password_env,omitempty"`
	TokenEnv    string `json:"token_env,omitempty"`
	Principal   string `json:"principal,omitempty"`  // kerberos: user@REALM
	KeytabEnv   string `json:"keytab_env,omitempty"` // kerberos: the keytab, base64
	Krb5Conf    string `json:"krb5_conf,omitempty"`  // kerberos: file in the bundle
	SPN         string `json:"spn,omitempty"`        // kerberos: HTTP/host by default
}

// TLS names what the site's certificate is verified with, beside the system's roots.
type TLS struct {
	CAFile string `json:"ca_file,omitempty"` // PEM, relative to the bundle's root
	CAEnv  string `json:"ca_env,omitempty"`  // environment variable that holds the PEM; wins over CAFile when set
}

// Limits is the whole request budget of a site, shared by all partitions that may run at once.
type Limits struct {
	RequestsPerSecond float64 `json:"requests_per_second"`
	Connections       int     `json:"connections"`
	ItemsPerCall      int     `json:"items_per_call"`   // the server's MaxReturnedItemsPerCall
	Points            int     `json:"points,omitempty"` // the most points that the site may list; 0 = 1,000,000
}

// Retry is the policy for one request.
type Retry struct {
	Attempts       int     `json:"attempts"`        // in all, at least 1
	BackoffSeconds float64 `json:"backoff_seconds"` // before the second attempt; doubles, with jitter
	TimeoutSeconds float64 `json:"timeout_seconds"` // for one request, from sending to the last byte
}
