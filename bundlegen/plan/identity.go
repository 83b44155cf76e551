package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

	"github.com/bundlegen/bundlegen/bundlegen/config"
)

// settingsID is a hash of what pipeline.yml says, but for what changes no
// bundle: prices, and where files are on this machine.
func settingsID(cfg *config.Pipeline) string {
	essential := *cfg
	essential.File, essential.Dir, essential.Inventory, essential.Output, essential.Prices = "", "", "", "", nil
	text, err := json.Marshal(essential)
	if err != nil {
		// Only a NaN or an infinity cannot be written; config refuses both.
		text = []byte(err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// planID is a hash of the settings and the assignment: each partition's id,
// site, tier, and its tags' names and point ids.
func planID(p *Plan) string {
	sums := make([][sha256.Size]byte, len(p.Partitions))
	_ = each(len(p.Partitions), func(i int) error {
		part := &p.Partitions[i]
		h := sha256.New()
		buf := make([]byte, 0, 4096)
		text := func(s string) {
			buf = binary.AppendUvarint(buf, uint64(len(s)))
			buf = append(buf, s...)
		}
		buf = binary.AppendVarint(buf, int64(part.ID))
		text(part.Site)
		text(part.Tier)
		for k := range part.Members {
			text(part.Members[k].Name)
			buf = binary.AppendVarint(buf, part.Members[k].PointID)
			if len(buf) > 3072 {
				h.Write(buf)
				buf = buf[:0]
			}
		}
		h.Write(buf)
		h.Sum(sums[i][:0])
		return nil
	})
	h := sha256.New()
	h.Write([]byte(p.Settings))
	for i := range sums {
		h.Write(sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
