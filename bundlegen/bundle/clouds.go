package bundle

import "github.com/bundlegen/bundlegen/bundlegen/config"

// The attributes of clusters and pools that each cloud has of its own.

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
	Availability  string `yaml:"availability,omitempty"`
	FirstOnDemand int    `yaml:"first_on_demand,omitempty"`
}

type gcpPoolAttributes struct {
	Availability string `yaml:"gcp_availability"`
}

// onDemand sets a cluster's machines to on demand.
func onDemand(cfg *config.Pipeline, c *cluster) {
	switch cfg.Compute.Cloud {
	case "aws":
		c.ElasticDisk = true
		c.AWS = &awsAttributes{Availability: "ON_DEMAND", ZoneID: "auto", InstanceProfile: cfg.Compute.InstanceProfile}
	case "azure":
		c.Azure = &azureAttributes{Availability: "ON_DEMAND_AZURE"}
	case "gcp":
		c.GCP = &gcpAttributes{Availability: "ON_DEMAND_GCP"}
	}
}

// spot sets a cluster's workers to spot machines, or machines on demand if there are
// none, and its driver to on demand.
func spot(cfg *config.Pipeline, c *cluster) {
	switch cfg.Compute.Cloud {
	case "aws":
		c.ElasticDisk = true
		c.AWS = &awsAttributes{
			Availability: "SPOT_WITH_FALLBACK", FirstOnDemand: 1, BidPercent: 100, ZoneID: "auto",
			InstanceProfile: cfg.Compute.InstanceProfile,
		}
	case "azure":
		c.Azure = &azureAttributes{Availability: "SPOT_WITH_FALLBACK_AZURE", FirstOnDemand: 1, BidMaxPrice: -1}
	case "gcp":
		c.GCP = &gcpAttributes{Availability: "PREEMPTIBLE_WITH_FALLBACK_GCP", FirstOnDemand: 1}
	}
}

// poolMachines sets the workers' pool to spot machines and the drivers' to on demand.
func poolMachines(cfg *config.Pipeline, workers, drivers *instancePool) {
	switch cfg.Compute.Cloud {
	case "aws":
		workers.AWS = &awsAttributes{Availability: "SPOT", BidPercent: 100, InstanceProfile: cfg.Compute.InstanceProfile}
		drivers.AWS = &awsAttributes{Availability: "ON_DEMAND", InstanceProfile: cfg.Compute.InstanceProfile}
	case "azure":
		workers.Azure = &azureAttributes{Availability: "SPOT_AZURE", BidMaxPrice: -1}
		drivers.Azure = &azureAttributes{Availability: "ON_DEMAND_AZURE"}
	case "gcp":
		workers.GCP = &gcpPoolAttributes{Availability: "PREEMPTIBLE_WITH_FALLBACK_GCP"}
		drivers.GCP = &gcpPoolAttributes{Availability: "ON_DEMAND_GCP"}
	}
}
