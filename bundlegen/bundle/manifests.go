package bundle

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/bundlegen/plan"
	"github.com/bundlegen/bundlegen/pipeline/inventory"
)

// manifestData renders the tags of a partition.
func manifestData(part plan.Partition) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(strings.Split(inventory.Header, ","))
	for _, t := range part.Members {
		rate := ""
		if t.EventsPerHour >= 0 {
			rate = strconv.FormatFloat(t.EventsPerHour, 'f', -1, 64)
		}
		_ = w.Write([]string{t.Site, t.Name, t.WebID, t.PointType, t.Units, t.DigitalSet, t.Descriptor, t.Tier, rate, strconv.FormatBool(t.Future), strconv.FormatInt(t.PointID, 10)})
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
