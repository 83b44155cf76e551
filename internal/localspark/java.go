package localspark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/bundlegen/bundlegen/internal/diag"
)

// Spark 4.0 needs Java 17. From 24 on Java lacks the function by which Spark's Hadoop
// library finds the user's name.
const (
	oldestJava = 17
	newestJava = 23
)

const javaHint = "sudo apt-get install -y openjdk-17-jre-headless, or set JAVA_HOME to a Java of version 17 to 23"

// findJava returns the home folder of the first Java that Spark runs on: that of
// JAVA_HOME, then the one on PATH.
func findJava(ctx context.Context) (string, error) {
	var seen []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		version, err := versionOf(home)
		if err != nil {
			home, version, err = askJava(ctx, filepath.Join(home, "bin", "java"))
		}
		switch {
		case err != nil:
			seen = append(seen, "the one of JAVA_HOME does not run")
		case fits(version):
			return home, nil
		default:
			seen = append(seen, fmt.Sprintf("the one of JAVA_HOME is version %d", version))
		}
	}
	program, err := exec.LookPath("java")
	if err != nil {
		seen = append(seen, "PATH has none")
		return "", noJava(seen)
	}
	home, version, err := homeOf(program)
	if err != nil {
		home, version, err = askJava(ctx, program)
	}
	switch {
	case err != nil:
		seen = append(seen, "the one on PATH does not run")
	case fits(version):
		return home, nil
	default:
		seen = append(seen, fmt.Sprintf("the one on PATH is version %d", version))
	}
	return "", noJava(seen)
}

func fits(version int) bool { return version >= oldestJava && version <= newestJava }

func noJava(seen []string) error {
	return diag.WithHint(fmt.Errorf("a Spark runs on Java %d to %d, and there is none: %s", oldestJava, newestJava,
		strings.Join(seen, ", ")), javaHint)
}

// homeOf finds the home folder of a java program through its links.
func homeOf(program string) (home string, version int, err error) {
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return "", 0, err
	}
	home = filepath.Dir(filepath.Dir(real))
	version, err = versionOf(home)
	return home, version, err
}

// versionOf reads a Java's version from its release file, which is a thousand times faster
// than starting it.
func versionOf(home string) (int, error) {
	data, err := os.ReadFile(filepath.Join(home, "release"))
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(filepath.Join(home, "bin", "java")); err != nil {
		return 0, err
	}
	m := releaseVersion.FindSubmatch(data)
	if m == nil {
		return 0, errors.New("its release file names no version")
	}
	return major(string(m[1]))
}

var (
	releaseVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="([^"]+)"`)
	homeProperty   = regexp.MustCompile(`(?m)^\s*java\.home = (.+?)\s*$`)
	versionLine    = regexp.MustCompile(`(?m)^\s*java\.version = (\S+)`)
)

// askJava starts a Java to ask for its home and version: for programs on PATH
// that only start the real one.
func askJava(ctx context.Context, program string) (home string, version int, err error) {
	out, err := exec.CommandContext(ctx, program, "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return "", 0, err
	}
	at, number := homeProperty.FindSubmatch(out), versionLine.FindSubmatch(out)
	if at == nil || number == nil {
		return "", 0, errors.New("it does not say what it is")
	}
	version, err = major(string(number[1]))
	return string(at[1]), version, err
}

// major returns the first number of a version: 17 of 17.0.15, 8 of 1.8.0_402.
func major(version string) (int, error) {
	version = strings.TrimPrefix(version, "1.")
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	return strconv.Atoi(version[:end])
}
