package wheel

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"debug/elf"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/bundlegen/bundlegen/internal/diag"
	"github.com/bundlegen/bundlegen/internal/regular"
	"github.com/bundlegen/bundlegen/pipeline/manifest"
	"github.com/bundlegen/bundlegen/templates"
)

// Package is the name of the Python package and of the distribution: what a
// python_wheel_task calls package_name.
const Package = "pi_extractor"

// Binary is the name of the program in the wheel's package folder.
const Binary = "pi-extractor"

// Options are what a wheel is made of.
type Options struct {
	Binary  []byte // static ELF program for linux
	Arch    Arch
	Version string // of the program, such as 1.2.3; a leading v and what follows a + or - are left out
}

// Build makes a wheel and gives its file name and content. The same options give
// the same bytes. The wheel's version ends in a hash of its content, so that pip
// on a running cluster never takes a new wheel for one that it has.
func Build(o Options) (name string, data []byte, err error) {
	members, name, err := assemble(o)
	if err != nil {
		return "", nil, err
	}
	data, err = pack(members)
	return name, data, err
}

// Ensure puts the wheel of o into a folder, as Write does, and gives its name. A
// wheel that exists and is whole is left alone: its name identifies its content, and
// packing one takes a good part of a second.
func Ensure(dir *os.Root, o Options) (name string, err error) {
	members, name, err := assemble(o)
	if err != nil {
		return "", err
	}
	if holds(dir, name, members) {
		return name, removeOthers(dir, name)
	}
	data, err := pack(members)
	if err != nil {
		return "", err
	}
	return name, Write(dir, name, data)
}

// holds reports whether the zip of that name has these files and no others, by their
// names, sizes and checksums. One that was cut short has no directory to say so.
func holds(dir *os.Root, name string, members []member) bool {
	f, err := dir.Open(name)
	if err != nil {
		return false
	}
	defer f.Close() // only read: closing cannot lose anything
	info, err := f.Stat()
	if err != nil || regular.Check(info) != nil {
		return false
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return false
	}
	return slices.EqualFunc(z.File, members, func(f *zip.File, m member) bool {
		return f.Name == m.name && f.UncompressedSize64 == uint64(len(m.data)) && f.CRC32 == crc32.ChecksumIEEE(m.data)
	})
}

// assemble returns the files of the wheel, and the wheel's name.
func assemble(o Options) (members []member, name string, err error) {
	platform, err := o.Arch.platform()
	if err != nil {
		return nil, "", err
	}
	if err := checkBinary(o.Binary, o.Arch); err != nil {
		return nil, "", err
	}
	release, err := releaseOf(o.Version)
	if err != nil {
		return nil, "", err
	}
	if members, err = packageMembers(o.Binary); err != nil {
		return nil, "", err
	}
	tag := "py3-none-" + platform
	// What the metadata say is content, too; they name the version themselves, so the hash is of those without it.
	version := release + "+" + contentHash(append(metadata(release, tag), members...))
	members = append(members, metadata(version, tag)...)
	members = append(members, record(members, version))
	return members, fmt.Sprintf("%s-%s-%s.whl", Package, version, tag), nil
}

// member is a file of the wheel.
type member struct {
	name string
	data []byte
	mode fs.FileMode
}

// packageMembers is the Python package: the launcher's modules and the binary.
func packageMembers(binary []byte) ([]member, error) {
	modules, err := templates.Launcher()
	if err != nil {
		return nil, err
	}
	var members []member
	for _, m := range modules {
		members = append(members, member{Package + "/" + m.Name, m.Data, 0o644})
	}
	return append(members, member{Package + "/" + Binary, binary, 0o755}), nil
}

// metadata is the wheel's .dist-info folder, but for RECORD.
func metadata(version, tag string) []member {
	tasks := append(manifest.Tasks(), manifest.TaskDoctor)
	var points strings.Builder
	// Databricks looks an entry point up by its name in any group; the scripts
	// have a longer one, since they are on the PATH.
	points.WriteString("[console_scripts]\n")
	for _, t := range tasks {
		fmt.Fprintf(&points, "%s-%s = %s:%s\n", Binary, t, Package, t)
	}
	fmt.Fprintf(&points, "\n[%s.tasks]\n", Package)
	for _, t := range tasks {
		fmt.Fprintf(&points, "%s = %s:%s\n", t, Package, t)
	}
	folder := infoFolder(version)
	return []member{
		{folder + "METADATA", fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n"+
			"Summary: Lands the events of PI tags in Delta tables\nRequires-Python: >=3.10\n", Package, version), 0o644},
		{folder + "WHEEL", fmt.Appendf(nil, "Wheel-Version: 1.0\nGenerator: bundlegen\nRoot-Is-Purelib: false\nTag: %s\n", tag), 0o644},
		{folder + "entry_points.txt", []byte(points.String()), 0o644},
		{folder + "top_level.txt", []byte(Package + "\n"), 0o644},
	}
}

func infoFolder(version string) string { return Package + "-" + version + ".dist-info/" }

// record lists every file with its hash and size; pip checks them.
func record(members []member, version string) member {
	var b bytes.Buffer
	for _, m := range members {
		sum := sha256.Sum256(m.data)
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", m.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(m.data))
	}
	name := infoFolder(version) + "RECORD"
	fmt.Fprintf(&b, "%s,,\n", name)
	return member{name, b.Bytes(), 0o644}
}

// contentHash tells two contents apart; 12 hexadecimal digits behind a letter,
// since a part of a version that is all digits would lose its leading zeros.
func contentHash(members []member) string {
	h := sha256.New()
	for _, m := range members {
		fmt.Fprintf(h, "%s %d\n", m.name, len(m.data))
		h.Write(m.data)
	}
	return "h" + hex.EncodeToString(h.Sum(nil))[:12]
}

var release = regexp.MustCompile(`^v?([0-9]+(?:\.[0-9]+)*)(?:[-+].*)?$`)

// releaseOf returns the part of a program's version that PEP 440 takes as a release.
func releaseOf(version string) (string, error) {
	m := release.FindStringSubmatch(version)
	if m == nil {
		return "", diag.WithHint(fmt.Errorf("version %q cannot be a wheel's", version),
			"allowed are numbers with dots between them, such as 1.2.3")
	}
	return m[1], nil
}

// checkBinary refuses a program that the nodes could not run.
func checkBinary(binary []byte, arch Arch) error {
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return diag.WithHint(errors.New("the binary is not a linux program"), "build pi-extractor with GOOS=linux and CGO_ENABLED=0")
	}
	machine := map[Arch]elf.Machine{AMD64: elf.EM_X86_64, ARM64: elf.EM_AARCH64}[arch]
	if f.Machine != machine {
		return diag.WithHint(fmt.Errorf("the binary is for %v, not for %s", f.Machine, arch), "build pi-extractor with GOARCH=%s", arch)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return diag.WithHint(errors.New("the binary is linked dynamically: it may not find its libraries on a node"),
			"build pi-extractor with CGO_ENABLED=0")
	}
	return nil
}

// level is the last that is fast: beyond it, a percent less costs five times the
// time. Uploads over 10 MB have broken deploys; this leaves a wheel below 9.
const level = 7

// pack makes the zip. Times are the earliest that a zip can hold.
func pack(members []member) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, level)
	})
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		h.SetMode(m.mode) // unix mode in the external attributes: pip keeps the executable bit
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(m.data); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write puts a wheel into a folder, and removes other versions of it there: a
// bundle installs every wheel that it finds. The new wheel is in place before an
// old one goes.
func Write(dir *os.Root, name string, data []byte) error {
	temp := ".wheel-" + rand.Text()
	f, err := dir.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, dir.Remove(temp))
	}
	return removeOthers(dir, name)
}

// removeOthers removes all wheels of the package but one.
func removeOthers(dir *os.Root, name string) error {
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		other := e.Name() != name && strings.HasPrefix(e.Name(), Package+"-") && strings.HasSuffix(e.Name(), ".whl")
		if other {
			if err := dir.Remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}
