package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// Owners implements engine.Landing.
func (e *Engine) Owners(ctx context.Context, at instant.Ticks) (out []engine.Owner, changed instant.Ticks, err error) {
	when, args := "o.valid_to IS NULL", []any{e.pipeline}
	if at != 0 {
		when, args = "o.valid_from <= $2 AND (o.valid_to IS NULL OR o.valid_to > $2)", append(args, stamp(at))
	}
	err = e.lake.transact(ctx, func(s *session) error {
		if changed, err = e.changed(s); err != nil {
			return err
		}
		return s.rows(`SELECT point_id, tag_webid, tag_name, site, tier, partition_id, plan_id, source = 'discovered', coalesce(point_type, ''), coalesce(units, ''), coalesce(events_per_hour, -1),
  NOT EXISTS (FROM {checkpoints.tag_watermarks} w WHERE w.pipeline = o.pipeline AND w.site = o.site AND w.point_id = o.point_id)
FROM {metadata.tag_partitions} o WHERE o.pipeline = $1 AND `+when+` ORDER BY site, point_id`, args, func(r *sql.Rows) error {
			var o engine.Owner
			if err := r.Scan(&o.PointID, &o.WebID, &o.Name, &o.Site, &o.Tier, &o.Partition, &o.PlanID, &o.Discovered, &o.PointType, &o.Units, &o.EventsPerHour, &o.Unmarked); err != nil {
				return err
			}
			out = append(out, o)
			return nil
		})
	})
	return out, changed, err
}

// Former implements engine.Landing.
func (e *Engine) Former(ctx context.Context, site string) (out []engine.Owner, err error) {
	err = e.lake.transact(ctx, func(s *session) error {
		return s.rows(`SELECT DISTINCT point_id, tag_name FROM {metadata.tag_partitions} WHERE pipeline = ? AND site = ? AND valid_to IS NOT NULL ORDER BY 1, 2`,
			[]any{e.pipeline, site}, func(r *sql.Rows) error {
				o := engine.Owner{Site: site}
				err := r.Scan(&o.PointID, &o.Name)
				out = append(out, o)
				return err
			})
	})
	return out, err
}

// changed gives the instant of the latest change of owners.
func (e *Engine) changed(s *session) (at instant.Ticks, err error) {
	var micros int64
	err = s.row(`SELECT coalesce(max(epoch_us(greatest(valid_from, coalesce(valid_to, valid_from)))), 0) FROM {metadata.tag_partitions} WHERE pipeline = ?`, []any{e.pipeline}, &micros)
	return instant.Ticks(micros) * instant.Microsecond, err
}

// Assign implements engine.Landing.
func (e *Engine) Assign(ctx context.Context, c engine.Change) error {
	if err := e.steps.At("assign"); err != nil {
		return err
	}
	e.lake.publish.Lock() // two changes side by side would both find none that is later
	defer e.lake.publish.Unlock()
	return e.lake.transact(ctx, func(s *session) error {
		if changed, err := e.changed(s); err != nil || changed > c.Seen {
			return cmp.Or(err, engine.ErrRaced)
		}
		for _, step := range []func(*session, engine.Change) error{e.closeOwners, e.openOwners, e.pin, e.describe} {
			if err := step(s, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *Engine) closeOwners(s *session, c engine.Change) error {
	if len(c.Close) == 0 {
		return nil
	}
	if err := s.exec("CREATE OR REPLACE TEMP TABLE closing (site VARCHAR, point_id BIGINT)"); err != nil {
		return err
	}
	if err := s.append("", "closing", nil, func(add func(...driver.Value) error) error {
		for _, k := range c.Close {
			if err := add(k.Site, k.PointID); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return s.exec(`UPDATE {metadata.tag_partitions} o SET valid_to = $2 FROM closing c
WHERE o.pipeline = $1 AND o.valid_to IS NULL AND o.site = c.site AND o.point_id = c.point_id`, e.pipeline, stamp(c.At))
}

func (e *Engine) openOwners(s *session, c engine.Change) error {
	return s.appendTo(tables.TagPartitions, func(add func(...driver.Value) error) error {
		for i := range c.Open {
			o := &c.Open[i]
			source := "manifest"
			if o.Discovered {
				source = "discovered"
			}
			var rate driver.Value
			if o.EventsPerHour >= 0 {
				rate = o.EventsPerHour
			}
			if err := add(o.WebID, o.Name, o.Site, o.Tier, int32(o.Partition), o.PlanID, stamp(c.At), nil, o.PointID, e.pipeline, source, text(o.PointType), text(o.Units), rate); err != nil {
				return err
			}
		}
		return nil
	})
}

// pin records where tags start. A pin beside a watermark or an earlier pin does no harm: it is outranked.
func (e *Engine) pin(s *session, c engine.Change) error {
	at := now()
	return s.appendTo(tables.Watermarks, func(add func(...driver.Value) error) error {
		for _, p := range c.Pins {
			if err := add(p.WebID, int64(p.At), int64(p.At), int32(p.Partition), int64(0), nil, at, p.Key.Site, p.Key.PointID, e.pipeline, nil, p.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

// describe brings metadata.tags up to date for the sites that were reached,
// touching only rows that differ.
func (e *Engine) describe(s *session, c engine.Change) error {
	if len(c.Sites) == 0 {
		return nil
	}
	if err := s.exec("CREATE OR REPLACE TEMP TABLE described AS SELECT " + columnsOf(tables.Tags) + " FROM {metadata.tags} LIMIT 0"); err != nil {
		return err
	}
	at := stamp(c.At)
	if err := s.append("", "described", nil, func(add func(...driver.Value) error) error {
		for i := range c.Tags {
			t := &c.Tags[i]
			if err := add(t.WebID, t.Name, t.Site, text(t.PointType), text(t.Units), text(t.Descriptor), text(t.DigitalSet), text(t.DigitalStates), t.Future, t.PointID, e.pipeline, at, nil); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	same := "t.pipeline = d.pipeline AND t.site = d.site AND t.point_id = d.point_id"
	if err := s.exec(`DELETE FROM {metadata.tags} t USING described d WHERE ` + same + ` AND (t.removed_at IS NOT NULL OR
(t.tag_webid, t.tag_name, t.point_type, t.units, t.descriptor, t.digital_set, t.digital_states, t.future) IS DISTINCT FROM
(d.tag_webid, d.tag_name, d.point_type, d.units, d.descriptor, d.digital_set, d.digital_states, d.future))`); err != nil {
		return err
	}
	if err := s.exec(`INSERT INTO {metadata.tags} (` + columnsOf(tables.Tags) + `) SELECT d.* FROM described d WHERE NOT EXISTS (SELECT 1 FROM {metadata.tags} t WHERE ` + same + `)`); err != nil {
		return err
	}
	for _, site := range c.Sites {
		if err := s.exec(`UPDATE {metadata.tags} t SET removed_at = $3 WHERE t.pipeline = $1 AND t.site = $2 AND t.removed_at IS NULL
AND NOT EXISTS (SELECT 1 FROM described d WHERE `+same+`)`, e.pipeline, site, at); err != nil {
			return err
		}
	}
	return nil
}
