package localspark

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// The pinned packages need Python 3.11; pyspark 4.0 is not made for 3.14.
const (
	oldestPython = 11
	newestPython = 13
)

// findPython returns a Python 3 that can make virtual environments.
func findPython(ctx context.Context) (string, error) {
	var seen []string
	for _, name := range []string{"python3", "python3.13", "python3.12", "python3.11"} {
		program, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "-c", "import sys; print(sys.version_info[1])").Output()
		if err != nil {
			continue // a link to nothing, or a manager's placeholder
		}
		var minor int
		if _, err := fmt.Sscan(string(out), &minor); err != nil || minor < oldestPython || minor > newestPython {
			seen = append(seen, fmt.Sprintf("%s is 3.%d", program, minor))
			continue
		}
		if err := exec.CommandContext(ctx, program, "-c", "import venv, ensurepip").Run(); err != nil {
			return "", diag.WithHint(fmt.Errorf("%s has no module venv", program), "sudo apt-get install -y python3-venv")
		}
		return program, nil
	}
	if len(seen) == 0 {
		seen = []string{"PATH has no python3"}
	}
	return "", diag.WithHint(fmt.Errorf("a Spark runs on Python 3.%d to 3.%d, and there is none: %s", oldestPython, newestPython,
		strings.Join(seen, ", ")),
		"sudo apt-get install -y python3 python3-venv")
}
