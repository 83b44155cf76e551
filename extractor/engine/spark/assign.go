package spark

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/extractor/engine"
	"github.com/bundlegen/bundlegen/pipeline/instant"
	"github.com/bundlegen/bundlegen/pipeline/tables"
)

// changed is a query for the instant of the latest change of owners, in microseconds.
const changed = `(SELECT coalesce(unix_micros(max(greatest(valid_from, coalesce(valid_to, valid_from)))), 0) AS micros FROM {metadata.tag_partitions} WHERE pipeline = :pipeline)`

// Owners implements engine.Landing.
func (e *Engine) Owners(ctx context.Context, at instant.Ticks) (out []engine.Owner, last instant.Ticks, err error) {
	when, a := "o.valid_to IS NULL", args{}
	if at != 0 {
		when, a = "o.valid_from <= timestamp_micros(:at) AND (o.valid_to IS NULL OR o.valid_to > timestamp_micros(:at))", args{"at": micros(at)}
	}
	err = e.query(ctx, `SELECT o.point_id, tag_webid, tag_name, o.site, tier, partition_id, plan_id, source = 'discovered', coalesce(point_type, ''), coalesce(units, ''), coalesce(events_per_hour, -1D), w.point_id IS NULL
FROM {metadata.tag_partitions} o
LEFT JOIN (SELECT DISTINCT site, point_id FROM {checkpoints.tag_watermarks} WHERE pipeline = :pipeline AND point_id IS NOT NULL) w ON w.site = o.site AND w.point_id = o.point_id
WHERE o.pipeline = :pipeline AND `+when+`
UNION ALL SELECT `+changed+`, '', '', '', '', -1, '', false, '', '', -1D, false`, a, func(r row) error {
		var o engine.Owner
		if err := r.scan(&o.PointID, &o.WebID, &o.Name, &o.Site, &o.Tier, &o.Partition, &o.PlanID, &o.Discovered, &o.PointType, &o.Units, &o.EventsPerHour, &o.Unmarked); err != nil {
			return err
		}
		if o.Partition < 0 {
			last = instant.Ticks(o.PointID) * instant.Microsecond
			return nil
		}
		out = append(out, o)
		return nil
	})
	return sortedBy(out, func(a, b engine.Owner) int {
		return cmp.Or(strings.Compare(a.Site, b.Site), cmp.Compare(a.PointID, b.PointID))
	}), last, err
}

// Former implements engine.Landing.
func (e *Engine) Former(ctx context.Context, site string) (out []engine.Owner, err error) {
	err = e.query(ctx, `SELECT DISTINCT point_id, tag_name FROM {metadata.tag_partitions} WHERE pipeline = :pipeline AND site = :site AND valid_to IS NOT NULL`,
		args{"site": site}, func(r row) error {
			o := engine.Owner{Site: site}
			err := r.scan(&o.PointID, &o.Name)
			out = append(out, o)
			return err
		})
	return sortedBy(out, func(a, b engine.Owner) int {
		return cmp.Or(cmp.Compare(a.PointID, b.PointID), strings.Compare(a.Name, b.Name))
	}), err
}

// Assign implements engine.Landing. Pins come first: one beside a watermark or an
// earlier pin does no harm, while an owner without one could not be read for. The
// owners' change is one commit. What metadata.tags says follows: it is repeated
// by the next discover if this one dies before it.
func (e *Engine) Assign(ctx context.Context, c engine.Change) error {
	for _, step := range []struct {
		name string
		do   func(context.Context, engine.Change) error
	}{{"pin", e.pin}, {"change owners", e.changeOwners}, {"describe tags", e.describe}} {
		if err := e.Steps.At(step.name); err != nil {
			return err
		}
		if err := step.do(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) pin(ctx context.Context, c engine.Change) error {
	now := time.Now().UnixMicro()
	pins := rowsOf(tables.Watermarks)
	for _, p := range c.Pins {
		pins.add(record{"tag_webid": p.WebID, "tag_name": p.Name, "watermark_ticks": p.At, "from_ticks": p.At, "partition_id": p.Partition, "batch_seq": 0, "updated_at": now,
			"site": p.Key.Site, "point_id": p.Key.PointID, "pipeline": e.Options.Pipeline})
	}
	return e.appendRows(ctx, tables.Watermarks, pins, token{})
}

// changeOwners closes and opens ownerships in one MERGE, whose source is empty
// when another change came after the one that c was made from: what a MERGE
// reads, Delta holds against every other writer.
func (e *Engine) changeOwners(ctx context.Context, c engine.Change) error {
	if len(c.Close)+len(c.Open) == 0 {
		return nil
	}
	at := micros(c.At)
	source := rowsOf(tables.TagPartitions).and("opens", tables.Boolean)
	for _, k := range c.Close {
		source.add(record{"site": k.Site, "point_id": k.PointID, "pipeline": e.Options.Pipeline, "valid_to": at, "opens": false})
	}
	for i := range c.Open {
		o := &c.Open[i]
		r := record{"tag_webid": o.WebID, "tag_name": o.Name, "site": o.Site, "tier": o.Tier, "partition_id": o.Partition, "plan_id": o.PlanID, "valid_from": at,
			"point_id": o.PointID, "pipeline": e.Options.Pipeline, "source": "manifest", "opens": true}
		if o.Discovered {
			r["source"] = "discovered"
		}
		r.optional("point_type", o.PointType)
		r.optional("units", o.Units)
		if o.EventsPerHour >= 0 {
			r["events_per_hour"] = o.EventsPerHour
		}
		source.add(r)
	}
	err := e.given(source, func(query string, a args) error {
		with := args{"seen": micros(c.Seen)}
		maps.Copy(with, a)
		return e.changeTable(ctx, tables.TagPartitions, `MERGE INTO {metadata.tag_partitions} t USING (SELECT n.* FROM (`+query+`) n CROSS JOIN `+changed+` g WHERE g.micros <= :seen) s
ON NOT s.opens AND t.pipeline = s.pipeline AND t.site = s.site AND t.point_id = s.point_id AND t.valid_to IS NULL
WHEN MATCHED THEN UPDATE SET valid_to = s.valid_to
WHEN NOT MATCHED AND s.opens THEN `+inserted(tables.TagPartitions), with)
	})
	if err != nil {
		return err
	}
	if err := e.Steps.At("read owners back"); err != nil {
		return err
	}
	var done bool
	if err := e.query(ctx, `SELECT count(*) > 0 FROM {metadata.tag_partitions} WHERE pipeline = :pipeline AND (valid_from = timestamp_micros(:at) OR valid_to = timestamp_micros(:at))`,
		args{"at": at}, func(r row) error { return r.scan(&done) }); err != nil {
		return err
	}
	if !done {
		return engine.ErrRaced
	}
	return nil
}

// optional sets a text that is null when it is empty.
func (r record) optional(column, text string) {
	if text != "" {
		r[column] = text
	}
}

// inserted is what a MERGE inserts of its source s: the contract's columns by
// name, whatever others the table has.
func inserted(t tables.Table) string {
	columns, values := make([]string, len(t.Columns)), make([]string, len(t.Columns))
	for i, name := range t.ColumnNames() {
		columns[i], values[i] = tables.SparkName(name), "s."+tables.SparkName(name)
	}
	return "INSERT (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
}

// updated is what a MERGE sets from its source s.
func updated(t tables.Table) string {
	set := make([]string, len(t.Columns))
	for i, name := range t.ColumnNames() {
		set[i] = tables.SparkName(name) + " = s." + tables.SparkName(name)
	}
	return strings.Join(set, ", ")
}

// described are the columns of metadata.tags that make a row another one.
var described = []string{"tag_webid", "tag_name", "point_type", "units", "descriptor", "digital_set", "digital_states", "future"}

// describe brings metadata.tags up to date for the sites that were reached.
func (e *Engine) describe(ctx context.Context, c engine.Change) error {
	if len(c.Sites) == 0 {
		return nil
	}
	now := micros(c.At)
	source := rowsOf(tables.Tags)
	for i := range c.Tags {
		t := &c.Tags[i]
		r := record{"tag_webid": t.WebID, "tag_name": t.Name, "site": t.Site, "future": t.Future, "point_id": t.PointID, "pipeline": e.Options.Pipeline, "updated_at": now}
		r.optional("point_type", t.PointType)
		r.optional("units", t.Units)
		r.optional("descriptor", t.Descriptor)
		r.optional("digital_set", t.DigitalSet)
		r.optional("digital_states", t.DigitalStates)
		source.add(r)
	}
	differs := "t.removed_at IS NOT NULL"
	for _, column := range described {
		differs += " OR NOT t." + column + " <=> s." + column
	}
	sites, named := make([]string, len(c.Sites)), args{"at": now}
	for i, s := range c.Sites {
		name := fmt.Sprint("site", i)
		sites[i], named[name] = ":"+name, s
	}
	return e.given(source, func(query string, a args) error {
		maps.Copy(named, a)
		return e.changeTable(ctx, tables.Tags, `MERGE INTO {metadata.tags} t USING (`+query+`) s ON t.pipeline = s.pipeline AND t.site = s.site AND t.point_id = s.point_id
WHEN MATCHED AND (`+differs+`) THEN UPDATE SET `+updated(tables.Tags)+`
WHEN NOT MATCHED THEN `+inserted(tables.Tags)+`
WHEN NOT MATCHED BY SOURCE AND t.pipeline = :pipeline AND t.removed_at IS NULL AND t.site IN (`+strings.Join(sites, ", ")+`) THEN UPDATE SET removed_at = timestamp_micros(:at)`, named)
	})
}
