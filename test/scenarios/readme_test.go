package scenarios_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readme is what people see first.
var readme = filepath.Join("..", "..", "README.md")

// fence matches a fenced block of the README, and how far it is indented.
var fence = regexp.MustCompile("(?ms)^( *)```\n(.*?)^ *```$")

// TestReadmeShowsWhatIsPrinted runs what the README shows, on the built programs:
// the plan of 30,000 tags to the letter, which -update writes anew, and a local run
// but for what differs from run to run.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	data, err := os.ReadFile(readme)
	require.NoError(t, err)
	blocks := fence.FindAllStringSubmatch(string(data), -1)
	require.Len(t, blocks, 2, "a block that shows what is printed is compared here")

	planned := newcomer(t, "--tags", "30000")
	planned.bundlegen("discover")
	shown := planned.bundlegen("plan")
	if *update {
		text := strings.Replace(string(data), blocks[0][2], shown, 1)
		require.NoError(t, os.WriteFile(readme, []byte(text), 0o644))
		blocks[0][2] = shown
	}
	require.Equal(t, shown, blocks[0][2], "go test ./test/scenarios -run Readme -update")

	run := newcomer(t, "--tags", "60", "--seed", "7", "--now", "2026-01-31T12:00:00Z", "--fault", "html=5")
	file := filepath.Join(run.dir, "pipeline.yml")
	pipeline, err := os.ReadFile(file)
	require.NoError(t, err)
	smaller := regexp.MustCompile(
		`(?m)^# sizing.*`,
	).ReplaceAll(
		pipeline,
		[]byte("sizing: {min_tags: 10, target_tags: 20, max_tags: 30, tags_per_worker: 10}"),
	)
	require.NoError(t, os.WriteFile(file, smaller, 0o644))
	run.bundlegen("discover")
	run.bundlegen("generate")
	quoted := regexp.MustCompile("(?m)^"+blocks[1][1]).ReplaceAllString(blocks[1][2], "")
	require.Equal(t, steady(run.bundlegen("run", "--local", "--until", "2026-01-31T12:00:00Z")), steady(quoted))
}

// steady leaves out of what a run prints what is another in each: speeds and times,
// how many requests had to be sent again, and how wide columns therefore are.
func steady(printed string) string {
	for _, r := range [][2]string{
		{`(?m)^( *\d{4}  \S+ +\d+ +[\d,]+) +[\d,]+ +\d+ +[\d.]+  `, "$1 RATE RETRIES SECONDS "},
		{`(?m)^( *all +\d+ +[\d,]+) +\d+$`, "$1 RETRIES"},
		{`in [\d.]+ s, [\d,]+ events/s`, "in SECONDS, RATE"},
		{`\d+ requests, \d+ of them sent again`, "REQUESTS, SOME AGAIN"},
		{` +`, " "},
	} {
		printed = regexp.MustCompile(r[0]).ReplaceAllString(printed, r[1])
	}
	return printed
}

// project is a folder where a newcomer has called init.
type project struct {
	t   *testing.T
	dir string
}

// newcomer starts a simulated PI server and calls init for it, as the README does.
func newcomer(t *testing.T, flags ...string) project {
	t.Helper()
	t.Setenv("PI_USER", "svc_pi")
	t.Setenv("PI_PLANT_A_PASSWORD", "correct horse")
	simulator := exec.CommandContext(t.Context(), built+"/pi-simulator",
		append([]string{"serve", "--auth", "basic", "--username-env", "PI_USER", "--password-env", "PI_PLANT_A_PASSWORD"}, flags...)...)
	out, err := simulator.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, simulator.Start())
	t.Cleanup(func() {
		_ = simulator.Process.Kill() // it may have ended, and then there is nothing to do
		_ = simulator.Wait()         // killed, and so an error
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var ready struct{ URL string }
	require.NoError(t, json.Unmarshal(line, &ready))
	p := project{t, t.TempDir()}
	p.bundlegen("init", "--server", ready.URL)
	return p
}

// bundlegen runs a command that succeeds, and returns its stdout.
func (p project) bundlegen(args ...string) string {
	p.t.Helper()
	program, err := filepath.Abs(filepath.Join(built, "bundlegen"))
	require.NoError(p.t, err)
	cmd := exec.CommandContext(p.t.Context(), program, args...)
	cmd.Dir = p.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(p.t, err, "bundlegen %s\n%s", strings.Join(args, " "), stderr.String())
	return string(out)
}
