package scenarios_test

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// disk is a small file system of the script's own.
type disk struct {
	dir    string
	enter  []string // what a command begins with to see it
	root   string   // where the world that has it is seen from outside, "" when it is ours
	remove func()
}

// diskWord gives the script a file system with a bound:
//
//	disk mount FOLDER SIZE
//	disk resize SIZE
//
// It needs root, or user namespaces.
func diskWord(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2, "disk mount FOLDER SIZE, disk resize SIZE")
	s := sceneOf(ts)
	if args[0] == "resize" {
		ts.Check(s.disk.resize(args[1]))
		return
	}
	dir, size := ts.MkAbs(args[1]), args[2]
	ts.Check(os.MkdirAll(dir, 0o755))
	asRoot := run([]string{"mount", "-t", "tmpfs", "-o", "mode=777,size=" + size, "tmpfs", dir})
	if asRoot == nil {
		s.disk = &disk{dir: dir, remove: func() {
			if run([]string{"umount", dir}) != nil { // something still has a file open there
				_ = run([]string{"umount", "--lazy", dir})
			}
		}}
		return
	}
	var asAnyone error
	if s.disk, asAnyone = mountApart(ts.Getenv("WORK"), dir, size); asAnyone != nil {
		ts.Fatalf("a small disk cannot be mounted: as root: %v; in a namespace: %v\n"+
			"run the tests as root, or allow namespaces: sudo sysctl -w user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0",
			asRoot, asAnyone)
	}
}

// resize gives the file system another bound. A smaller one is refused as long
// as more is in use, and what deleted files held is given back a little later.
func (d *disk) resize(size string) (err error) {
	for range 100 {
		err = run(append(slices.Clone(d.enter), "mount", "-t", "tmpfs", "-o", "remount,size="+size, "tmpfs", d.dir))
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// mountApart mounts a file system in a namespace, which needs no root. The
// namespace lives as long as the process that holds it.
func mountApart(work, dir, size string) (*disk, error) {
	holder := exec.Command("unshare", "--map-root-user", "--mount", "sh", "-c",
		`mount -t tmpfs -o "mode=777,size=$1" tmpfs "$2" && echo ready && exec cat`, "sh", size, dir)
	var said strings.Builder
	holder.Stderr = &said
	in, err := holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	remove := func() {
		in.Close() // cat ends, and the namespace with it
		_, _ = io.Copy(io.Discard, out)
		_ = holder.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		remove()
		return nil, fmt.Errorf("%w: %s%s", err, line, said.String())
	}
	pid := strconv.Itoa(holder.Process.Pid)
	return &disk{
		dir: dir, remove: remove, root: "/proc/" + pid + "/root",
		enter: []string{"nsenter", "--target", pid, "--user", "--mount", "--preserve-credentials", "sh", "-c", `cd "$0" && exec "$@"`, work},
	}, nil
}

// outside returns the path of a folder's files as this process sees them: its own
// copy, where another world has the disk.
func (d *disk) outside(ts *testscript.TestScript, folder string) string {
	if d == nil || d.root == "" {
		return folder
	}
	out, err := os.MkdirTemp("", "lake-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(out) })
	entries, err := os.ReadDir(d.root + folder)
	ts.Check(err)
	for _, e := range entries {
		if e.Type().IsRegular() {
			data, err := os.ReadFile(filepath.Join(d.root+folder, e.Name()))
			ts.Check(err)
			ts.Check(os.WriteFile(filepath.Join(out, e.Name()), data, 0o600))
		}
	}
	return out
}

func run(args []string) error {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// nobody is the user, and the group, whom programs run as that must not be root.
const nobody = 65534

// asNobody returns what a command begins with so that it is not root's, whom no
// file is read-only to.
func asNobody(ts *testscript.TestScript) []string {
	if os.Geteuid() != 0 {
		return nil
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		ts.Fatalf("%v\nrun the tests as an ordinary user, or install util-linux, which has setpriv", err)
	}
	id := strconv.Itoa(nobody)
	return []string{"setpriv", "--reuid", id, "--regid", id, "--clear-groups"}
}

// readonly takes the right to write a file, or a folder with all in it, from
// everybody, and gives it to the user of exits -nobody.
//
//	readonly PATH...
func readonly(ts *testscript.TestScript, neg bool, args []string) { modes(ts, args, 0o555, 0o444) }

// writable gives that right back.
//
//	writable PATH...
func writable(ts *testscript.TestScript, neg bool, args []string) { modes(ts, args, 0o755, 0o644) }

func modes(ts *testscript.TestScript, args []string, folder, file fs.FileMode) {
	for _, arg := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(arg), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if os.Geteuid() == 0 {
				if err := os.Chown(path, nobody, nobody); err != nil {
					return err
				}
			}
			if d.IsDir() {
				return os.Chmod(path, folder)
			}
			return os.Chmod(path, file)
		}))
	}
}

// held waits until another process has locked a file.
//
//	held FILE
func held(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1, "held FILE")
	waitFor(ts, "a lock on "+args[0], func() bool {
		f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
		if err != nil {
			return false // not there yet
		}
		defer f.Close()
		lock := syscall.Flock_t{Type: syscall.F_WRLCK}
		ts.Check(syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock))
		return lock.Type != syscall.F_UNLCK
	})
}
