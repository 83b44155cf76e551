package bundle

import "github.com/bundlegen/bundlegen/bundlegen/config"

// cloudAttributes is how machines are bought, of a cluster or a pool; one is set.
type cloudAttributes struct {
	AWS   *awsAttributes   `yaml:"aws_attributes,omitempty"`
	Azure *azureAttributes `yaml:"azure_attributes,omitempty"`
	GCP   *gcpAttributes   `yaml:"gcp_attributes,omitempty"`
}

type awsAttributes struct {
	Availability    string `yaml:"availability,omitempty"`
	FirstOnDemand   int    `yaml:"first_on_demand,omitempty"`
	BidPercent      int    `yaml:"spot_bid_price_percent,omitempty"`
	ZoneID          string `yaml:"zone_id,omitempty"`
	InstanceProfile string `yaml:"instance_profile_arn,omitempty"`
}

type azureAttributes struct {
	Availability  string  `yaml:"availability,omitempty"`
	FirstOnDemand int     `yaml:"first_on_demand,omitempty"`
	BidMaxPrice   float64 `yaml:"spot_bid_max_price,omitempty"`
}

type gcpAttributes struct {
	Availability     string `yaml:"availability,omitempty"`     // of a cluster
	PoolAvailability string `yaml:"gcp_availability,omitempty"` // of a pool
	FirstOnDemand    int    `yaml:"first_on_demand,omitempty"`
}

// purchase is how machines are bought.
type purchase int

const (
	onDemand         purchase = iota // a cluster's
	spotWithFallback                 // a cluster's, but for its driver
	poolOnDemand                     // a pool's
	poolSpot                         // a pool's
)

// cloudOf returns what the cloud is asked for when machines are bought. A pool
// chooses neither a zone by itself nor a share on demand.
func cloudOf(cfg *config.Pipeline, p purchase) cloudAttributes {
	name := func(names ...string) string { return names[p] }
	first := 0
	if p == spotWithFallback {
		first = 1 // the driver
	}
	spot, pool := p == spotWithFallback || p == poolSpot, p == poolOnDemand || p == poolSpot
	switch cfg.Compute.Cloud {
	case "aws":
		a := &awsAttributes{
			Availability:    name("ON_DEMAND", "SPOT_WITH_FALLBACK", "ON_DEMAND", "SPOT"),
			FirstOnDemand:   first,
			InstanceProfile: cfg.Compute.InstanceProfile,
		}
		if spot {
			a.BidPercent = 100
		}
		if !pool {
			a.ZoneID = "auto"
		}
		return cloudAttributes{AWS: a}
	case "azure":
		a := &azureAttributes{
			Availability:  name("ON_DEMAND_AZURE", "SPOT_WITH_FALLBACK_AZURE", "ON_DEMAND_AZURE", "SPOT_AZURE"),
			FirstOnDemand: first,
		}
		if spot {
			a.BidMaxPrice = -1
		}
		return cloudAttributes{Azure: a}
	case "gcp":
		availability := name("ON_DEMAND_GCP", "PREEMPTIBLE_WITH_FALLBACK_GCP", "ON_DEMAND_GCP", "PREEMPTIBLE_WITH_FALLBACK_GCP")
		if pool {
			return cloudAttributes{GCP: &gcpAttributes{PoolAvailability: availability}}
		}
		return cloudAttributes{GCP: &gcpAttributes{Availability: availability, FirstOnDemand: first}}
	}
	return cloudAttributes{}
}
