// Package packaging has the files for super-servers, firewalls and mail filters. These tests give
// them unchanged to the programs that they are written for.
package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Isolate(lab.Setup{
		Build:   build,
		Prepare: install,
		Run:     m.Run,
	}))
}

// build makes all programs, and the door of `make` without a prefix, and what makes packages.
func build(dir string) error {
	if err := lab.BuildPair(dir, false); err != nil {
		return err
	}
	if err := lab.BuildView(lab.Full(dir)); err != nil {
		return err
	}
	// The tests have no network from which it could be had.
	nfpm := exec.Command("go", "tool", "-modfile=deb/nfpm.mod", "nfpm", "--version")
	if out, err := nfpm.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", nfpm, err, out)
	}
	flags := lab.DoorFlags("/usr/local/libexec/sendwrap/sendwrap")
	return lab.BuildWith(filepath.Join(dir, "sendwrap-door"), "CGO_ENABLED=0", flags...)
}

// program is what an administrator starts.
func program() string { return lab.Door(lab.Dir()) }

// installed is where the files expect sendwrap. greeting is its configuration there: each client is
// allowed, and the MTA greets and ends.
const installed = "/usr/local/sbin/sendwrap"

func greeting() string { return filepath.Join(lab.Dir(), "greeting.conf") }

// install puts sendwrap where the files expect it.
func install() error {
	if err := unix.Mount("tmpfs", filepath.Dir(installed), "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	mta := filepath.Join(lab.Dir(), "greeter")
	conf := "mta " + mta + "\nallow 127.0.0.0/8 ::1\nspawn_rate 10000\nlog none\n" +
		"ledger " + filepath.Join(lab.Dir(), "greeting", "ledger") + " clients=1024\n"
	script := fmt.Sprintf("#!/bin/sh\ncommand=$1\ntest $# = 0 || shift\n"+
		"exec %s $command -f %s \"$@\"\n", program(), greeting())
	for name, text := range map[string]string{mta: greeter, greeting(): conf, installed: script} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// greeter is an MTA that greets and ends.
const greeter = "#!/bin/sh\nprintf '220 ready\\r\\n'\n"

// door writes a configuration with a ledger of its own.
func door(t *testing.T, lines ...string) (conf string) {
	t.Helper()
	dir := t.TempDir()
	conf = filepath.Join(dir, "sendwrap.conf")
	lines = append(lines, "ledger "+filepath.Join(dir, "state", "ledger")+" clients=1024",
		"log none")
	write(t, conf, strings.Join(lines, "\n")+"\n", 0o644)
	return conf
}

// must returns a command's standard output, and ends the test if the command fails.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd, err, out, &errors)
	}
	return string(out)
}

// replace replaces what must occur exactly once.
func replace(t *testing.T, text, from, to string) string {
	t.Helper()
	if n := strings.Count(text, from); n != 1 {
		t.Fatalf("%q occurs %d times; want once", from, n)
	}
	return strings.Replace(text, from, to, 1)
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
