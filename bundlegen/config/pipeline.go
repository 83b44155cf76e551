package config

import (
	"cmp"
	"path/filepath"
)

// Path returns a path of the file as seen from the working directory.
func (p *Pipeline) Path(written string) string {
	if filepath.IsAbs(written) {
		return written
	}
	return filepath.Join(p.Dir, written)
}

// Place returns where pipeline.yml names a file of a site, as file:line:column; key
// is tls.ca_file or auth.krb5_conf. Without that key it is the file alone. Key points
// is the site itself.
func (p *Pipeline) Place(site, key string) string {
	if place := p.places[site+" "+key]; place != "" {
		return place
	}
	return p.File
}

// InventoryPath returns the inventory's path as seen from the working directory.
func (p *Pipeline) InventoryPath() string { return p.Path(p.Inventory) }

// CalibrationPath returns the path of the measured constants as seen from the
// working directory. It need not be there unless pipeline.yml names it.
func (p *Pipeline) CalibrationPath() (path string, named bool) {
	if p.Calibration == "" {
		return p.Path(CalibrationFile), false
	}
	return p.Path(p.Calibration), true
}

// BundleDir returns the emitted bundle's folder as seen from the working directory.
func (p *Pipeline) BundleDir() string { return filepath.Join(p.Path(p.Output), p.Name) }

// CatalogOf returns the catalog that a target's tables are in.
func (p *Pipeline) CatalogOf(t Target) string { return cmp.Or(t.Catalog, p.Catalog) }

// WarehouseOf returns the id of the SQL warehouse that reads a target's tables; ""
// where there is none.
func (p *Pipeline) WarehouseOf(t Target) string { return cmp.Or(t.Warehouse, p.Monitoring.Warehouse) }
