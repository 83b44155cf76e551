package plan

// Codes of warnings. They are stable.
const (
	WarnCadence       = "cadence"         // a run takes longer than its cadence
	WarnSingleCluster = "single-cluster"  // one cluster is cheaper and as fast
	WarnServer        = "pi-server"       // more partitions than the PI server serves
	WarnBudget        = "pi-budget"       // more partitions than the site's request budget
	WarnRateLimit     = "pi-rate-limit"   // sites together ask one server for more than it allows a client
	WarnBounds        = "partition-size"  // partitions outside the bounds
	WarnShare         = "partition-count" // tiers[].partitions cannot be met
	WarnWaves         = "waves"           // more extractions than the workspace runs at once
	WarnSpotDriver    = "spot-driver"     // a pool of spot workers gives the driver too
	WarnNodePrice     = "node-price"      // a node type that the price table does not know
	WarnPrices        = "prices"          // keys of prices that price nothing
	WarnRates         = "rates-assumed"   // tags of unknown rate
	WarnPointIDs      = "point-ids"       // tags without a point id
	WarnNoTags        = "no-tags"         // tiers and sites that no tag is of
	WarnSkew          = "skew"            // partitions have become uneven
	WarnHeavyTag      = "heavy-tag"       // a tag alone outweighs a partition
	WarnTimeout       = "task-timeout"    // a site's own timeout is too short for its extractions
	WarnTasks         = "cluster-tasks"   // of a Choice: more tasks than one cluster bears
)

// Warning is something that an expert would point at: what it is about, its
// figures and what to do. The sentence is report's.
type Warning struct {
	Code    string   `json:"code"`            // one of Warn…
	Tiers   []string `json:"tiers,omitempty"` // that it is about
	Sites   []string `json:"sites,omitempty"` // that it is about
	Names   []string `json:"names,omitempty"` // of other things that it is about: servers, node types, keys of prices, a tag
	Figures Figures  `json:"figures"`
	Advice  []Advice `json:"advice,omitempty"` // the best first
}

// Figures are a warning's numbers, or those of an expert's remark on a Choice.
// Each code has its own few; the others are 0.
type Figures struct {
	Seconds           float64 `json:"seconds,omitempty"`         // that a run, a loop or an extraction takes
	AllowedSeconds    float64 `json:"allowed_seconds,omitempty"` // that it may take
	StartupSeconds    float64 `json:"startup_seconds,omitempty"` // of Seconds
	Partitions        int     `json:"partitions,omitempty"`
	UsefulPartitions  int     `json:"useful_partitions,omitempty"` // that read as fast as all of them
	WantedPartitions  int     `json:"wanted_partitions,omitempty"` // that pipeline.yml asks for
	TooSmall          int     `json:"too_small,omitempty"`         // partitions below the minimum
	TooLarge          int     `json:"too_large,omitempty"`         // partitions above the maximum
	MinTags           int     `json:"min_tags,omitempty"`          // of the smallest of those
	MaxTags           int     `json:"max_tags,omitempty"`          // of the largest of those
	AllowedTags       int     `json:"allowed_tags,omitempty"`      // of a partition
	Tags              int     `json:"tags,omitempty"`
	AllTags           int     `json:"all_tags,omitempty"` // that Tags are a part of
	Sites             int     `json:"sites,omitempty"`
	Tasks             int     `json:"tasks,omitempty"` // that run at once
	Waves             int     `json:"waves,omitempty"`
	RequestsAtOnce    float64 `json:"requests_at_once,omitempty"` // that a PI server is assumed to work on
	RequestsPerSecond float64 `json:"requests_per_second,omitempty"`
	AllowedPerSecond  float64 `json:"allowed_per_second,omitempty"` // requests of one client address
	EventsPerHour     float64 `json:"events_per_hour,omitempty"`
	TimesMean         float64 `json:"times_mean,omitempty"` // a load over the mean of its site's partitions
	Faster            bool    `json:"faster,omitempty"`     // not only cheaper
	StandIn           string  `json:"stand_in,omitempty"`   // the node type whose prices are taken instead
	Nearest           string  `json:"nearest,omitempty"`    // the known name that is most like the unknown one
}

// Advice is a change and what it brings: settings of pipeline.yml, or else a
// command or a column of the inventory.
type Advice struct {
	Settings []Setting `json:"settings,omitempty"` // to be made together
	Command  string    `json:"command,omitempty"`
	Column   string    `json:"column,omitempty"`
	Effect   Effect    `json:"effect"`
}

// Setting is a key of pipeline.yml and the value that it is to have. A value
// that only the reader knows is in angle brackets; "" leaves the value to the
// reader.
type Setting struct {
	Key     string `json:"key"`
	Value   string `json:"value,omitempty"`
	Without bool   `json:"without,omitempty"` // the key is to be left out
}

// Kinds of effects. They are stable.
const (
	EffectRun             = "run"              // a run's time and a month's cost change
	EffectPlanned         = "as-planned"       // pipeline.yml says what is planned
	EffectMorePartitions  = "more-partitions"  // shorter, where the PI servers bear it
	EffectFewerPartitions = "fewer-partitions" //
	EffectOneWave         = "one-wave"         // all extractions run at once, if the workspace is allowed so many
	EffectOneWaveAnew     = "one-wave-anew"    // the same, with --rebalance
	EffectAsFast          = "as-fast"          // with fewer partitions
	EffectLargerBudget    = "larger-budget"    // if the PI server bears it
	EffectRoom            = "room"             // half of the server's limit is left to others
	EffectConsistent      = "consistent"       // bounds and number of partitions go together
	EffectDriverPool      = "driver-pool"      // drivers come from a pool on demand
	EffectOwnPrice        = "own-price"        // costs are from one's own price list
	EffectNearestKey      = "nearest-key"      // the key of the price table that is most like the given one
	EffectMatch           = "match"            // tags without a tier get this one
	EffectPoints          = "points"           // the inventory gets the servers' points
	EffectPointIDs        = "point-ids"        // the inventory gets the points' ids
	EffectRealLoad        = "real-load"        // balance and forecast are by real load
	EffectShow            = "show"             // what evening out moves is shown
	EffectCheckRate       = "check-rate"       // a rate that is wrong is found
	EffectDefault         = "default"          // as where the key is left out
)

// Effect is what advice brings.
type Effect struct {
	Kind         string  `json:"kind"`                         // one of Effect…
	Seconds      float64 `json:"seconds,omitempty"`            // of a run then
	LateSeconds  float64 `json:"late_seconds,omitempty"`       // that the run then still takes too long
	CostPerMonth float64 `json:"cost_per_month_usd,omitempty"` // more than today; negative: less
	Partitions   int     `json:"partitions,omitempty"`         // then
	Of           string  `json:"of,omitempty"`                 // the key that a nearest one is given for
}

// set is advice to set keys, given as key and value in turn.
func set(effect Effect, keysAndValues ...string) Advice {
	a := Advice{Effect: effect}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		a.Settings = append(a.Settings, Setting{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return a
}

// run is advice to run a command.
func run(command, effect string) Advice {
	return Advice{Command: command, Effect: Effect{Kind: effect}}
}

// fill is advice to fill in a column of the inventory.
func fill(column, effect string) Advice {
	return Advice{Column: column, Effect: Effect{Kind: effect}}
}
