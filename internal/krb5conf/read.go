package krb5conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bundlegen/bundlegen/internal/regular"
)

// Limits of a configuration, all files together.
const (
	MaxBytes = 1 << 20
	maxFiles = 500
	maxDepth = 8 // of files that include files
)

// Parse reads one file that must not include others: that of a bundle. file is its name
// in errors, which have line and column.
func Parse(data []byte, file string) (*Config, error) {
	r := newReader(false)
	if err := r.text(data, file, nil); err != nil {
		return nil, err
	}
	return r.config(file)
}

// Load reads files of this machine and all that they include, as a login on it does: the
// first of several values wins. A missing file is skipped if another one exists; without
// any the error is an fs.ErrNotExist.
func Load(files ...string) (*Config, error) {
	r := newReader(true)
	var missing error
	read := ""
	for _, file := range files {
		err := r.file(file, nil)
		var wrong *fs.PathError
		switch {
		case errors.As(err, &wrong) && wrong.Path == file && errors.Is(err, fs.ErrNotExist):
			missing = errors.Join(missing, err)
			continue
		case err != nil:
			return nil, err
		}
		if read == "" {
			read = file
		}
		r.close()
	}
	if read == "" {
		return nil, missing
	}
	return r.config(read)
}

// reader collects a configuration from files.
type reader struct {
	follow bool // includes
	left   int64
	files  int
	c      Config

	seen  bool            // a section that we read
	set   map[string]bool // relations that have their value
	final map[string]bool // what later files no longer change
	soon  map[string]bool // what is final from the next file on

	permitted []int32
}

func newReader(follow bool) *reader {
	return &reader{follow: follow, left: MaxBytes, c: Config{UDPPreferenceLimit: -1},
		set: map[string]bool{}, final: map[string]bool{}, soon: map[string]bool{}}
}

// close ends a file of the machine's list.
func (r *reader) close() {
	for key := range r.soon {
		r.final[key] = true
	}
}

// config returns what was read.
func (r *reader) config(file string) (*Config, error) {
	if !r.seen {
		return nil, fmt.Errorf("%s: it is not a Kerberos configuration: it has none of [libdefaults], [realms] and [domain_realm]", file)
	}
	c := r.c
	if c.TktEnctypes == nil {
		c.TktEnctypes = r.permitted
	}
	if c.TGSEnctypes == nil {
		c.TGSEnctypes = r.permitted
	}
	return &c, nil
}

// file reads a file that the chain of files above includes.
func (r *reader) file(file string, above []string) error {
	if r.files++; r.files > maxFiles {
		return fmt.Errorf("%s: more than %d files are included", file, maxFiles)
	}
	data, err := regular.Read(file, max(0, r.left))
	if err != nil {
		return err
	}
	return r.text(data, file, above)
}

func (r *reader) text(data []byte, file string, above []string) error {
	if r.left -= int64(len(data)); r.left < 0 {
		return fmt.Errorf("%s: it is larger than %d MiB, with what it includes", file, MaxBytes>>20)
	}
	if slices.Contains(data, 0) {
		return fmt.Errorf("%s: it is not a text: it has NUL bytes", file)
	}
	p := &parser{reader: r, file: file, above: append(above, file)}
	return p.parse(strings.TrimPrefix(string(data), "\ufeff"))
}

// include reads what a line of p's file includes.
func (p *parser) include(directive, path string) error {
	switch {
	case !p.follow:
		return p.wrong(1, fmt.Sprintf("%s %q: a file that goes into a bundle cannot include others, which the tasks would not find",
			directive, path))
	case !filepath.IsAbs(path):
		return p.wrong(1, fmt.Sprintf("%s %q: the path is not absolute", directive, path))
	case len(p.above) > maxDepth:
		return p.wrong(1, fmt.Sprintf("%s %q: files include one another more than %d deep", directive, path, maxDepth))
	}
	path = filepath.Clean(path)
	if directive == "include" {
		return p.includeFile(path)
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		p.note(fmt.Sprintf("includedir %s: there is no such folder on this machine; what it would say is left out", path))
		return nil
	}
	if err != nil {
		return p.wrong(1, fmt.Sprintf("includedir %q: %v", path, cause(err)))
	}
	for _, e := range entries { // sorted by name
		if !includable(e.Name()) {
			continue
		}
		name := filepath.Join(path, e.Name())
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // a link that leads nowhere
			p.note(fmt.Sprintf("includedir %s: %s leads nowhere on this machine; what it would say is left out", path, e.Name()))
			continue
		case err == nil && info.IsDir():
			continue
		}
		if err := p.includeFile(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) includeFile(path string) error {
	for _, open := range p.above {
		if sameFile(open, path) {
			return p.wrong(1, fmt.Sprintf("%s includes itself", path))
		}
	}
	err := p.reader.file(path, p.above)
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		return p.wrong(1, fmt.Sprintf("include %q: %v", path, cause(err)))
	}
	return err
}

func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// includable reports whether includedir reads a file of that name: editors and package
// managers leave others behind.
func includable(name string) bool {
	if strings.HasSuffix(name, ".conf") && !strings.HasPrefix(name, ".") {
		return true
	}
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// cause returns the cause of a file's error without the file, which is named elsewhere.
func cause(err error) error {
	var wrong *fs.PathError
	if errors.As(err, &wrong) {
		return wrong.Err
	}
	return err
}
