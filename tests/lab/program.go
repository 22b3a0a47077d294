package lab

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages is the table from which tests/setup.sh installs.
//
//go:embed packages.txt
var packages string

// Find returns the path of a program: from $PATH, from a directory of root's, or from a package
// that tests/setup.sh has unpacked; "" if the machine has none.
func Find(name string) string {
	for _, path := range []string{
		name, "/usr/sbin/" + name, "/sbin/" + name, Unpacked(name + "/usr/sbin/" + name),
	} {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	return ""
}

// Unpacked returns where tests/setup.sh has unpacked a file of a package that conflicts with
// another: PACKAGE/PATH.
func Unpacked(file string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "sendwrap-tests", file)
}

// Missing says that the machine has no such program or file, and which package has it.
func Missing(what string) string {
	for line := range strings.Lines(packages) {
		field := strings.Fields(line)
		if len(field) < 2 || field[0] == "#" || filepath.Base(field[0]) != filepath.Base(what) {
			continue
		}
		return fmt.Sprintf("no %s: install %s (tests/setup.sh does)", what, field[1])
	}
	return "no " + what
}

// Lack returns what Missing says of the first of these files that is not there; "" if all are. A
// name may be a pattern.
func Lack(files ...string) string {
	for _, file := range files {
		if found, _ := filepath.Glob(file); len(found) == 0 {
			return Missing(file)
		}
	}
	return ""
}

// BuildFlags are those of `make` for the full program.
var BuildFlags = []string{"-trimpath", "-ldflags=-E=_rt0_sendwrap -X=main.stateDir=" + stateDir}

// stateDir is where compiled policies are. Each test's machine has its own.
const stateDir = "/var/lib/sendwrap"

// DoorEntry is where the door begins.
const DoorEntry = "_rt0_sendwrap_door"

// DoorFlags are those of `make` for the door, with the full program at that path.
func DoorFlags(full string) []string {
	return []string{"-tags=door", "-trimpath",
		"-ldflags=-s -w -E=" + DoorEntry + " -X=main.stateDir=" + stateDir +
			" -X=main.fullProgram=" + full}
}

// Build makes the full program as `make` does, or with the race detector, where C begins and no
// other entry point is possible.
func Build(path string, race bool) error {
	if race {
		return BuildWith(path, "CGO_ENABLED=1", "-trimpath", "-race")
	}
	return BuildWith(path, "CGO_ENABLED=0", BuildFlags...)
}

// Door and Full are where BuildPair puts the two programs. Door is what clients and administrators
// start; Full serves everything by itself.
func Door(prefix string) string { return filepath.Join(prefix, "sbin/sendwrap") }
func Full(prefix string) string { return filepath.Join(prefix, "libexec/sendwrap/sendwrap") }

// BuildPair makes both programs, where `make install` puts them under a prefix. Only the full
// program has the race detector: no door has more than one goroutine.
func BuildPair(prefix string, race bool) error {
	if err := Build(Full(prefix), race); err != nil {
		return err
	}
	return BuildWith(Door(prefix), "CGO_ENABLED=0", DoorFlags(Full(prefix))...)
}

// BuildView makes the view program as `make` does, beside the full one.
func BuildView(full string) error {
	return BuildWith(full+"-view", "CGO_ENABLED=0", "-tags=view", "-trimpath", "-ldflags=-s -w")
}

// BuildShare makes the share program as `make` does, beside the full one.
func BuildShare(full string) error {
	return BuildWith(full+"-share", "CGO_ENABLED=0", "-tags=share", "-trimpath", "-ldflags=-s -w")
}

// BuildWith makes sendwrap with these flags and an entry of the environment.
func BuildWith(path, env string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...),
		"sendwrap")...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}
