package plan

import (
	"fmt"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/internal/words"
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
			seconds := b.model.Startup(b.cfg.Compute) + b.results[t].Partitions[i]
			if own > 0 && seconds-own > worst {
				worst, site, need = seconds-own, p.Site, seconds
				enough = b.model.TimeoutSeconds(b.cfg.Compute, b.results[t].Partitions[i])
			}
		}
	}
	if site < 0 {
		return Warning{}, false
	}
	s := b.cfg.Sites[site]
	return Warning{Code: WarnTimeout,
		Message: fmt.Sprintf("An extraction of %s takes %s with start-up, and its task.timeout ends it after %s: no attempt gets through.",
			s.Name, words.Span(need), words.Span(s.Task.Timeout.Seconds())),
		Advice: []string{fmt.Sprintf("sites.%s.task.timeout: %s%swhat is taken where the key is left out",
			s.Name, config.FormatDuration(time.Duration(enough)*time.Second), effect)},
	}, true
}
