package localspark

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Venv makes dir a virtual environment with the wheel and the installation's packages, and
// returns its interpreter; console scripts are next to it. If the same wheel is already
// installed in dir, it does nothing. It does not use the network. One process at a time
// may call it for a folder.
func (i *Installation) Venv(ctx context.Context, dir, wheel string) (python string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	python = filepath.Join(dir, "bin", "python")
	sum, err := hashFile(wheel)
	if err != nil {
		return "", err
	}
	mark, want := filepath.Join(dir, "wheel.txt"), i.dir+"\n"+dir+"\n"+sum+"\n"
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		if _, err := os.Stat(python); err == nil {
			return python, nil
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("make a virtual environment: %w", err)
	}
	if out, err := i.run(ctx, nil, i.Python(), "-m", "venv", "--without-pip", dir); err != nil {
		return "", fmt.Errorf("make a virtual environment in %s: %w\n%s", dir, err, lastLines(out, 3))
	}
	site, err := filepath.Rel(filepath.Join(i.dir, "venv"), i.site)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, site, "spark.pth"), []byte(i.site+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("make a virtual environment: %w", err)
	}
	if out, err := i.run(ctx, nil, python, "-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check", "--no-input",
		"--no-cache-dir", "--no-deps", "--no-index", wheel); err != nil {
		return "", fmt.Errorf("install %s: %w\n%s", filepath.Base(wheel), err, lastLines(out, 3))
	}
	if err := os.WriteFile(mark, []byte(want), 0o644); err != nil {
		return "", fmt.Errorf("make a virtual environment: %w", err)
	}
	return python, nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
