package lint

import (
	"os"
	"path/filepath"

	"github.com/bundlegen/bundlegen/bundlegen/wheel"
)

// wheels reports machines that cannot run the wheel that is in dist/: pip on the
// node would refuse it, minutes after the job has started. No wheel is no fault
// here: the bundle's own build makes one, or says what is missing.
func (c *checker) wheels() {
	made := c.wheelsMade()
	for _, p := range c.machines {
		node := wheel.ArchOf(p.text())
		for name, arch := range made {
			if arch != node {
				c.add(p, "has "+string(node)+" processors, and dist/"+name+" is for "+string(arch), "",
					"bundlegen wheel --arch "+string(node)+" -o "+filepath.Join(c.dir, "dist"))
			}
		}
	}
}

// wheelsMade gives the processors that the wheels in dist/ are for, by file name.
func (c *checker) wheelsMade() map[string]wheel.Arch {
	made := map[string]wheel.Arch{}
	entries, _ := os.ReadDir(filepath.Join(c.dir, "dist")) // none: there is no wheel
	for _, e := range entries {
		if arch, ok := wheel.ArchOfFile(e.Name()); ok {
			made[e.Name()] = arch
		}
	}
	return made
}
