package plan

import (
	"time"

	"github.com/bundlegen/bundlegen/internal/duration"
)

// taskTimeout warns of a site whose own timeout ends extractions before they are
// expected to be through: the one that lacks the most.
func (b *builder) taskTimeout() (Warning, bool) {
	worst, site, need, enough := 0.0, -1, 0.0, 0
	for t, tier := range b.tiers {
		if tier.Continuous {
			continue
		}
		for i, p := range b.jobs[t].Partitions {
			own := b.cfg.Sites[p.Site].Task.Timeout.Seconds()
			seconds := b.results[t].Partitions[i]
			if own > 0 && seconds-own > worst {
				worst, site, need = seconds-own, p.Site, seconds
				enough = b.model.TimeoutSeconds(seconds)
			}
		}
	}
	if site < 0 {
		return Warning{}, false
	}
	s := b.cfg.Sites[site]
	return Warning{
		Code:    WarnTimeout,
		Sites:   []string{s.Name},
		Figures: Figures{Seconds: round(need, 2), AllowedSeconds: s.Task.Timeout.Seconds()},
		Advice: []Advice{
			set(Effect{Kind: EffectDefault}, "sites."+s.Name+".task.timeout", duration.Format(time.Duration(enough)*time.Second)),
		},
	}, true
}
