package share

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sendwrap/tests/lab"
)

// engine is a server of Redis or Valkey, in the network that all machines reach.
type engine struct {
	t       testing.TB
	program string
	dir     string
	port    uint16
	args    []string
	*lab.Daemon
}

// startEngine starts Debian's Redis, which keeps nothing on disk. The arguments are its directives.
func startEngine(t testing.TB, args ...string) *engine {
	t.Helper()
	return startEngineOf(t, "redis-server", args...)
}

func startEngineOf(t testing.TB, program string, args ...string) *engine {
	t.Helper()
	lab.Need(t, lab.NoNamespaces())
	lab.NeedProgram(t, "redis-cli")
	e := &engine{t: t, program: program, dir: t.TempDir(), port: freePort(t), args: args}
	if err := errors.Join(os.Chmod(e.dir, 0o755), // the courier is another user
		os.Chmod(filepath.Dir(e.dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	e.start()
	return e
}

func freePort(t testing.TB) uint16 {
	t.Helper()
	at, err := lab.FreePort(netip.IPv4Unspecified())
	if err != nil {
		t.Fatal(err)
	}
	return at.Port()
}

func (e *engine) start() {
	e.t.Helper()
	argv := append([]string{"--port", fmt.Sprint(e.port), "--bind", "0.0.0.0", "--save", "",
		"--protected-mode", "no", "--dir", e.dir, "--unixsocket", e.socket(), "--unixsocketperm",
		"777"}, e.args...)
	d, err := lab.Start(exec.Command(lab.NeedProgram(e.t, e.program), argv...),
		filepath.Join(e.dir, "log"))
	if err != nil {
		e.t.Fatal(err)
	}
	e.Daemon = d
	e.t.Cleanup(d.KillAll)
	lab.Eventually(e.t, "the engine answers", func() bool {
		return exec.Command("redis-cli", "-s", e.socket(), "ping").Run() == nil
	})
}

func (e *engine) socket() string { return filepath.Join(e.dir, "socket") }

// do sends a command, as whoever has the engine's password could.
func (e *engine) do(words ...string) string {
	e.t.Helper()
	return e.doWith("", words...)
}

// doWith is do with the last word from a text, which may be long.
func (e *engine) doWith(last string, words ...string) string {
	e.t.Helper()
	argv := []string{"-e", "-s", e.socket()}
	if last != "" {
		argv = append(argv, "-x")
	}
	cmd := exec.Command("redis-cli", append(argv, words...)...)
	cmd.Stdin = strings.NewReader(last)
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.t.Fatalf("redis-cli %q: %v: %.300s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

// rejected is how often the engine has rejected a command of that name.
func (e *engine) rejected(command string) (n int) {
	e.t.Helper()
	_, rest, _ := strings.Cut(e.info("commandstats", "cmdstat_"+command), "rejected_calls=")
	number, _, _ := strings.Cut(rest, ",")
	n, _ = strconv.Atoi(number)
	return n
}

// info is what the engine says of itself; number is that as a number.
func (e *engine) info(section, name string) string {
	e.t.Helper()
	_, rest, _ := strings.Cut(e.do("info", section), "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r")
	return value
}

func (e *engine) number(section, name string) int {
	e.t.Helper()
	n, err := strconv.Atoi(e.info(section, name))
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

func (e *engine) signal(sig syscall.Signal) {
	e.t.Helper()
	if err := e.Process.Signal(sig); err != nil {
		e.t.Fatal(err)
	}
}
