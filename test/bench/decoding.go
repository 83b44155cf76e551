package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// decoding runs the decoder's own benchmarks, which the standard library's stand beside.
func (b *bench) decoding() error {
	b.title("4. Decoding alone, one processor")
	cmd := exec.CommandContext(
		b.ctx,
		"go",
		"test",
		"-run",
		"^$",
		"-bench",
		"StreamSet|EncodingJSON",
		"-benchtime",
		"300ms",
		"-cpu",
		"1",
		"./extractor/decode",
	)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go test: %w\n%s", err, text)
	}
	measured := map[string]map[string]float64{}
	var order []string
	for _, m := range benchmarkLine.FindAllStringSubmatch(string(text), -1) {
		ns, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return err
		}
		if measured[m[2]] == nil {
			measured[m[2]] = map[string]float64{}
			order = append(order, m[2])
		}
		measured[m[2]][m[1]] = ns
	}
	if len(order) == 0 {
		return fmt.Errorf("go test printed no benchmark:\n%s", text)
	}
	b.printf("%-28s %12s %14s %8s\n", "", "ns/event", "encoding/json", "ratio")
	least := 0.0
	for i, kind := range order {
		ours, theirs := measured[kind]["StreamSet"], measured[kind]["EncodingJSON"]
		b.printf("%-28s %12.0f %14.0f %7.1fx\n", kind, ours, theirs, theirs/ours)
		if r := theirs / ours; i == 0 || r < least {
			least = r
		}
	}
	b.sum(
		"decoding alone, against encoding/json",
		"",
		fmt.Sprintf("%.0f ns Float64", measured["Float64"]["StreamSet"]),
		fmt.Sprintf("at least %.1f x", least),
	)
	return nil
}

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\w+)/(\S+?)\s+\d+\s.*?([0-9.]+) ns/event`)
