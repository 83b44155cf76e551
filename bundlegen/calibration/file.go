package calibration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bundlegen/bundlegen/bundlegen/forecast/constants"
	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/internal/suggest"
	"github.com/bundlegen/bundlegen/internal/text"
	"github.com/bundlegen/bundlegen/internal/words"
)

// Version is the version of the file. It only grows.
const Version = 1

// maxFile is the size of the largest file that is read, in bytes; one with all
// constants takes some thousands.
const maxFile = 1 << 20

// Calibration is constants that were measured.
type Calibration struct {
	Version   int        `json:"version"`
	Pipeline  string     `json:"pipeline"` // NAME, or NAME.TARGET on Databricks
	Runs      int        `json:"runs"`     // that were measured
	From      time.Time  `json:"from"`     // when the first of them began
	To        time.Time  `json:"to"`       // when the last of them began
	Constants []Constant `json:"constants"`
}

// Constant is a constant as measured.
type Constant struct {
	Name    string  `json:"name"`  // as in package constants
	Value   float64 `json:"value"` // the median, in Unit
	Low     float64 `json:"low"`   // one sample in ten is below
	High    float64 `json:"high"`  // one in ten is above
	Unit    string  `json:"unit"`
	Samples int     `json:"samples"`
}

// Encode returns the file's bytes: the same calibration, the same bytes.
func (c *Calibration) Encode() ([]byte, error) {
	return text.Indented(c)
}

// Overrides returns the constants as a plan takes them, with where they are from:
// file is the name that reports call the file by.
func (c *Calibration) Overrides(file string) map[string]constants.Override {
	all := map[string]constants.Override{}
	for _, m := range c.Constants {
		all[m.Name] = constants.Override{Value: m.Value, Source: fmt.Sprintf("%s, measured over %s, spread %s to %s (10-90%%)",
			file, words.Plural(c.Runs, "run"), words.Digits(m.Low), words.Digits(m.High))}
	}
	return all
}

// Read reads a file that Encode wrote. The error is an fs.ErrNotExist where
// there is none.
func Read(path string) (*Calibration, error) {
	data, err := regular.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	c, err := decode(data)
	if err != nil {
		return nil, diag.WithHint(fmt.Errorf("%s: %w", path, err),
			"bundlegen calibrate rewrites it; without the file, plans assume defaults")
	}
	return c, nil
}

func decode(data []byte) (*Calibration, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, position(data, err)
	}
	if version.Version != Version {
		return nil, fmt.Errorf("version %d; allowed: %d, which this program reads", version.Version, Version)
	}
	c := &Calibration{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, position(data, err)
	}
	for _, m := range c.Constants {
		known, ok := constants.Find(m.Name)
		switch {
		case !ok:
			return nil, fmt.Errorf("constant %q is unknown; %s", m.Name, meant(m.Name))
		case math.IsNaN(m.Value) || m.Value < known.Min || m.Value > known.Max:
			return nil, fmt.Errorf("constant %s: %g; allowed: %g to %g %s", m.Name, m.Value, known.Min, known.Max, known.Unit)
		}
	}
	return c, nil
}

func meant(name string) string {
	if near := suggest.Nearest(name, constants.Names()); near != "" {
		return "the nearest is " + near
	}
	return "allowed: " + strings.Join(constants.Names(), ", ")
}

// position adds the line and column to an error of the JSON decoder.
func position(data []byte, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &wrong):
		offset = wrong.Offset
	}
	if offset < 1 || offset > int64(len(data)) {
		return err
	}
	before := data[:offset-1] // the offset is behind what is wrong
	return fmt.Errorf("line %d, column %d: %w", 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n'), err)
}
