package workflow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bundlegen/bundlegen/bundlegen/config"
	"github.com/bundlegen/bundlegen/bundlegen/doctor"
	"github.com/bundlegen/bundlegen/bundlegen/doctor/sitecheck"
	"github.com/bundlegen/bundlegen/internal/crash"
	"github.com/bundlegen/bundlegen/internal/words"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// sitesAtOnce is how many sites are checked side by side.
const sitesAtOnce = 8

// CheckSites makes the doctor's checks of sites of a pipeline. timeout is that of one
// request; 0 = sitecheck's own.
func CheckSites(ctx context.Context, p *config.Pipeline, sites []config.Site, timeout time.Duration) (*doctor.Report, error) {
	tags, err := tagsBySite(p)
	if err != nil {
		return nil, err
	}
	found := make([][]doctor.Finding, len(sites))
	var g errgroup.Group
	g.SetLimit(sitesAtOnce)
	for i, site := range sites {
		g.Go(func() error {
			defer crash.Exit()
			s := sitecheck.Check(ctx, p, site, sitecheck.Options{Tags: tags[site.Name], Timeout: timeout, Getenv: os.LookupEnv})
			defer s.Close()
			found[i] = s.Findings()
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r := &doctor.Report{}
	for _, f := range found {
		r.Add(f...)
	}
	return r, nil
}

// tagsBySite returns the inventory's rows by site; none where there is no inventory yet.
func tagsBySite(p *config.Pipeline) (map[string][]inventory.Tag, error) {
	f, err := InventoryFile(p, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string][]inventory.Tag{}
	for _, t := range f.Tags {
		all[t.Site] = append(all[t.Site], t)
	}
	return all, nil
}

// RecordDoctor keeps how a doctor of all sites ended, for DoctorNote.
func RecordDoctor(p *config.Pipeline, r *doctor.Report, at time.Time) error {
	digest, err := doctor.Digest(p)
	if err != nil {
		return err
	}
	path := p.Path(doctor.RecordFile)
	record, err := doctor.ReadRecord(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	encoded, err := record.Note(doctor.Visit{At: at.UTC().Truncate(time.Second), Failed: r.Count(doctor.Fail),
		Warned: r.Count(doctor.Warn), Digest: digest}).Encode()
	if err != nil {
		return err
	}
	_, err = replaceFile(path, encoded)
	return err
}

// DoctorNote is what a person who deploys to production should know of the last green
// doctor: how old it is, and whether sites or compute have changed since.
func DoctorNote(p *config.Pipeline, now time.Time) (string, error) {
	record, err := doctor.ReadRecord(p.Path(doctor.RecordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "no doctor has looked at the sites yet: bundlegen doctor", nil
	}
	if err != nil {
		return "", err
	}
	digest, err := doctor.Digest(p)
	if err != nil {
		return "", err
	}
	switch age := now.Sub(record.Last.At); {
	case record.Green == nil:
		return fmt.Sprintf("no doctor was green yet; the last, %s ago, found %s: bundlegen doctor",
			words.Span(age.Seconds()), words.Plural(record.Last.Failed, "fault")), nil
	case record.Green.Digest != digest:
		return fmt.Sprintf("the last green doctor is %s old, and sites or compute have changed since: bundlegen doctor",
			words.Span(now.Sub(record.Green.At).Seconds())), nil
	case record.Last.Failed > 0:
		return fmt.Sprintf("the last green doctor is %s old; one since, %s ago, found %s: bundlegen doctor",
			words.Span(now.Sub(record.Green.At).Seconds()), words.Span(age.Seconds()), words.Plural(record.Last.Failed, "fault")), nil
	}
	return fmt.Sprintf("the last green doctor is %s old", words.Span(now.Sub(record.Green.At).Seconds())), nil
}
