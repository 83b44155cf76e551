package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// line is a row of the summary.
type line struct{ what, aim, measured, ratio string }

func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }

func (b *bench) title(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.printf("\n%s\n%s\n", text, strings.Repeat("-", len([]rune(text))))
}

// sum adds a row to the summary.
func (b *bench) sum(what, aim, measured, ratio string) {
	b.summary = append(b.summary, line{what, aim, measured, ratio})
}

// summarize prints all that was measured once more, at a glance.
func (b *bench) summarize(took time.Duration) {
	b.title("Summary (%s)", took.Round(time.Second))
	b.printf("%-42s %-12s %-18s %s\n", "", "aim", "measured", "against")
	for _, l := range b.summary {
		b.printf("%s\n", strings.TrimRight(fmt.Sprintf("%-42s %-12s %-18s %s", l.what, l.aim, l.measured, l.ratio), " "))
	}
}

// machine prints on what is measured, and what.
func (b *bench) machine() error {
	var model string
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	version, err := exec.CommandContext(b.ctx, b.program("bundlegen"), "--version").Output()
	if err != nil {
		return fmt.Errorf("bundlegen --version: %w", err)
	}
	lake, err := b.duckDBVersion(filepath.Join(b.dir, "version"))
	if err != nil {
		return err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("?")
	}
	b.printf("machine   %s, %d processors, load %s\n", model, runtime.NumCPU(), strings.Fields(string(load))[0])
	b.printf("versions  %s, %s, DuckDB %s\n", strings.TrimSpace(string(version)), runtime.Version(), lake)
	b.printf("seed      %d\n", b.seed)
	return nil
}

// thousands writes a number with commas.
func thousands[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
