package examples

import (
	"fmt"

	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// unit is a part of a plant.
type unit struct {
	code string  // as it stands in tag names
	pace float64 // how busy its signals are, against the table below
}

// The units of a plant: boilers, turbines, condensers and what stands around them.
var units = []unit{
	{"BLR", 1}, {"GT", 2}, {"ST", 1.5}, {"CND", 0.5}, {"FWP", 1}, {"CT", 0.25}, {"TRF", 0.5}, {"WTR", 0.25},
}

// signal is one tag of a measuring loop.
type signal struct {
	code, attribute  string // FIC and PV make FIC-1023.PV
	pointType, units string
	set              string  // digital state set
	rate             float64 // events an hour; -1 = nobody knows
}

// loops are the measuring loops of a unit, in turn: what a plant's points are
// like, mostly slow numbers, some controllers, some states, a few texts.
var loops = [][]signal{
	{
		{"FIC", "PV", "Float32", "t/h", "", 360},
		{"FIC", "SP", "Float32", "t/h", "", 2},
		{"FIC", "OP", "Float32", "%", "", 240},
		{"FIC", "MODE", "Digital", "", "MODES", 1},
	},
	{{"TI", "PV", "Float32", "degC", "", 60}},
	{{"TI", "PV", "Float32", "degC", "", 60}},
	{{"PI", "PV", "Float32", "bar", "", 120}},
	{{"XV", "ZSO", "Digital", "", "OPENCLOSE", 4}},
	{{"TIC", "PV", "Float32", "degC", "", 120}, {"TIC", "SP", "Float32", "degC", "", 1}, {"TIC", "OP", "Float32", "%", "", 120}},
	{{"VI", "PV", "Float64", "mm/s", "", 720}},
	{{"LI", "PV", "Float32", "%", "", 60}},
	{{"P", "RUN", "Digital", "", "RUNSTOP", 2}, {"P", "HRS", "Int32", "h", "", 1}},
	{{"II", "PV", "Float32", "A", "", 360}},
	{{"JI", "PV", "Float64", "MW", "", 720}},
	{{"PAH", "ALM", "Digital", "", "ALARM", 0.5}},
	{{"AI", "PV", "Float32", "ppm", "", -1}},
	{{"QI", "CNT", "Int32", "", "", 60}},
	{{"SI", "PV", "Float16", "rpm", "", 720}},
	{{"KS", "STEP", "String", "", "", 0.25}},
}

// tags makes a site's points: count of them, the same in every run.
func tags(site string, count int) []inventory.Tag {
	out := make([]inventory.Tag, 0, count)
	for number := 0; len(out) < count; number++ {
		u := units[number/len(loops)%len(units)]
		train := number/len(loops)/len(units)%4 + 1
		for _, s := range loops[number%len(loops)] {
			if len(out) == count {
				break
			}
			rate := s.rate
			if rate > 0 {
				rate *= u.pace
			}
			out = append(out, inventory.Tag{
				Site: site, Name: fmt.Sprintf("%s%d.%s-%d.%s", u.code, train, s.code, 1000+number, s.attribute),
				PointType: s.pointType, Units: s.units, DigitalSet: s.set, EventsPerHour: rate,
			})
		}
	}
	return out
}

// plant is one site with so many tags.
func plant(count int) func() []inventory.Tag {
	return func() []inventory.Tag { return tags("plant-a", count) }
}

// sites gives each of several sites the same so many tags.
func sites(count int, names ...string) []inventory.Tag {
	one := tags("", count)
	all := make([]inventory.Tag, 0, count*len(names))
	for _, name := range names {
		for _, t := range one {
			t.Site = name
			all = append(all, t)
		}
	}
	return all
}

// energy is 20 plants with 2,500 tags each.
func energy() []inventory.Tag {
	var names []string
	for plant := 1; plant <= 20; plant++ {
		names = append(names, fmt.Sprintf("plant-%02d", plant))
	}
	return sites(2_500, names...)
}

// multiSite is ten plants with 3,000 tags each.
func multiSite() []inventory.Tag {
	return sites(3_000, "aberdeen", "bergen", "cadiz", "dublin", "essen", "fos", "genoa", "hull", "izmir", "jena")
}

// threePlants is 30,000 tags on three PI servers.
func threePlants() []inventory.Tag { return sites(10_000, "north", "centre", "south") }

// mixed is 30,000 tags of one site, of which each sixtieth is critical.
func mixed() []inventory.Tag {
	all := tags("plant-a", 30_000)
	for i := range all {
		all[i].Tier = "bulk"
		if i%60 == 0 {
			all[i].Tier = "critical"
		}
	}
	return all
}

// fiveMillion is a hundred sites with 50,000 tags each.
func fiveMillion() []inventory.Tag {
	var names []string
	for site := 1; site <= 100; site++ {
		names = append(names, fmt.Sprintf("pi-%03d", site))
	}
	return sites(50_000, names...)
}

// enterprise is ten plants with 12,000 tags each.
func enterprise() []inventory.Tag {
	return sites(12_000, "atlanta", "boston", "chicago", "denver", "antwerp", "bilbao", "cork", "adelaide", "brisbane", "canberra")
}
