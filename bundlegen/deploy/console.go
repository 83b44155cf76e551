package deploy

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/bundlegen/bundlegen/internal/text"
)

// console takes what the CLI writes to stderr. It passes whole lines on as they
// come, without secrets, until the first error: from there on it keeps them, so
// that they are part of the error that the verb returns and are printed once.
// It may be written to concurrently.
type console struct {
	mu      sync.Mutex
	dst     io.Writer
	secrets *strings.Replacer // nil before the credentials are known
	partial []byte            // a line whose end has not come yet
	keep    bool              // lines go to kept, no longer to dst
	kept    bytes.Buffer
	told    *Told
	block   []string // a recommendation whose end has not come yet
	again   []string // what is left of one that was told already
}

// newConsole passes lines on to dst. A quiet console keeps even the first ones:
// of a verb that takes seconds, warnings belong to the error, if there is one.
func newConsole(dst io.Writer, quiet bool, told *Told) *console {
	return &console{dst: dst, keep: quiet, told: told}
}

// hide makes the console write *** for each of the values.
func (c *console) hide(values []string) {
	pairs := make([]string, 0, 2*len(values))
	for _, v := range values {
		if v != "" {
			pairs = append(pairs, v, "***")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets = strings.NewReplacer(pairs...)
}

// clean is text without secrets.
func (c *console) clean(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cleanLocked(text)
}

func (c *console) cleanLocked(text string) string {
	if c.secrets == nil {
		return text
	}
	return c.secrets.Replace(text)
}

// colours are what the CLI sets colours by, and nothing else.
var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// shown is a text of the CLI for a terminal: it may hold what a workspace said.
func shown(s string) string { return text.Lines(colours.ReplaceAllString(s, "")) }

// Write implements io.Writer. It never fails: a closed terminal is no reason to
// leave a deployment half done.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partial = append(c.partial, p...)
	for {
		end := bytes.IndexByte(c.partial, '\n')
		if end < 0 {
			return len(p), nil
		}
		c.line(string(c.partial[:end+1]))
		c.partial = c.partial[end+1:]
	}
}

// line passes on or keeps one line.
func (c *console) line(line string) {
	c.keep = c.keep || strings.HasPrefix(colours.ReplaceAllString(line, ""), "Error: ")
	line = shown(c.cleanLocked(line))
	if c.repeats(line) {
		return
	}
	if c.keep {
		c.kept.WriteString(line)
		return
	}
	_, _ = io.WriteString(c.dst, line) // see Write
}

// repeats reports whether a line belongs to a recommendation or a warning that was
// told already.
func (c *console) repeats(line string) bool {
	if c.told == nil {
		return false
	}
	if len(c.again) > 0 && c.again[0] == line {
		c.again = c.again[1:]
		return true
	}
	c.again = nil
	switch {
	case len(c.block) > 0:
		c.block = append(c.block, line)
		switch n := len(c.block); {
		case strings.TrimSpace(line) == "" && located.MatchString(c.block[n-2]):
			c.told.add(c.block)
			c.block = nil
		case n == longestBlock:
			c.block = nil
		}
	case strings.HasPrefix(line, "Recommendation: "), strings.HasPrefix(line, "Warning: "):
		if c.again = c.told.rest(line); c.again != nil {
			return true
		}
		c.block = []string{line}
	}
	return false
}

// Told is what several verbs of one command have told a person: the CLI says the
// same of a bundle in each of them. It may be used concurrently.
type Told struct {
	mu     sync.Mutex
	blocks map[string][]string // by their first line
}

// longestBlock is the number of lines from which on a block is taken for no block.
const longestBlock = 60

// located is the last line of a recommendation: where it is about.
var located = regexp.MustCompile(`^  in .+:\d+:\d+\s*$`)

func (t *Told) add(block []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.blocks == nil {
		t.blocks = map[string][]string{}
	}
	t.blocks[block[0]] = block
}

// rest returns what follows a first line that was told already; nil for another.
func (t *Told) rest(first string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if block := t.blocks[first]; block != nil {
		return block[1:]
	}
	return nil
}

// finish ends the last line and returns what was kept. On success nothing of it
// is an error, so it is passed on instead.
func (c *console) finish(success bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.partial) > 0 {
		c.line(string(c.partial) + "\n")
		c.partial = nil
	}
	text := c.kept.String()
	c.kept.Reset()
	if success {
		_, _ = io.WriteString(c.dst, text) // see Write
		return ""
	}
	return text
}
