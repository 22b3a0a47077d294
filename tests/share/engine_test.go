package share

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"sendwrap/tests/lab"
)

// engine is a server of Redis or Valkey, in the network that all machines reach.
type engine struct {
	t    testing.TB
	name string
	dir  string
	port uint16
	args []string
	*lab.Daemon
}

// Engines, as they call themselves.
const (
	redis  = "Redis"
	valkey = "Valkey"
)

// eachEngine runs a test in which it matters what the engine says, with Redis and with Valkey.
func eachEngine(t *testing.T, test func(t *testing.T, name string)) {
	t.Helper()
	t.Parallel()
	for _, name := range []string{redis, valkey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name)
		})
	}
}

// command starts an engine. Valkey is Debian 13's, with the libraries of that.
func command(t testing.TB, name string) (argv []string) {
	t.Helper()
	if name == redis {
		return []string{lab.NeedProgram(t, "redis-server")}
	}
	path, loader := lab.Unpacked("valkey-server/usr/bin/valkey-server"),
		lab.Unpacked("valkey-server/usr/lib/*/ld-linux*")
	lab.Need(t, lab.Lack(path, loader))
	loaders, _ := filepath.Glob(loader)
	return []string{loaders[0], "--argv0", filepath.Base(path), "--library-path",
		filepath.Dir(loaders[0]), path}
}

// startEngine starts an engine that keeps nothing on disk. The arguments are its directives.
func startEngine(t testing.TB, name string, args ...string) *engine {
	t.Helper()
	lab.Need(t, lab.NoNamespaces())
	lab.NeedProgram(t, "redis-cli")
	e := &engine{t: t, name: name, dir: t.TempDir(), port: newPort(), args: args}
	if err := errors.Join(os.Chmod(e.dir, 0o755), // the courier is another user
		os.Chmod(filepath.Dir(e.dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	e.start()
	return e
}

// ports counts the ports handed out. The kernel could give one that it has found free to others
// before the server listens there. It gives none below 32768.
var ports atomic.Uint32

func newPort() uint16 { return uint16(7000 + ports.Add(1)) }

func (e *engine) start() {
	e.t.Helper()
	argv := append(command(e.t, e.name), "--port", fmt.Sprint(e.port), "--bind", "0.0.0.0",
		"--save", "", "--protected-mode", "no", "--dir", e.dir, "--unixsocket", e.socket(),
		"--unixsocketperm", "777")
	argv = append(argv, e.args...)
	d, err := lab.Start(exec.Command(argv[0], argv[1:]...), filepath.Join(e.dir, "log"))
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
