package guard

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The test binary is also a guard in a process of its own, an MTA's process, and a process that
// stops while it holds a lock.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 { // a role, and what it is about
		switch os.Args[1] {
		case "guard":
			guardRole(os.Args[2], os.Args[3])
		case "relay":
			relayRole(os.Args[2])
		case "hold":
			lab.HoldLock(os.Args[2])
		}
	}
	// In namespaces, where no address of the tests is this machine's.
	os.Exit(lab.Isolate(lab.Setup{Run: m.Run}))
}

// endWith makes the process end with its parent, since a test may be killed.
func endWith(parent int) {
	for os.Getppid() == parent {
		time.Sleep(100 * time.Millisecond)
	}
	os.Exit(1)
}

// guardRole is a guard with the configuration in a file and its log at a socket.
func guardRole(file, logs string) {
	go endWith(os.Getppid())
	if os.Getenv("LISTEN_FDS") != "" {
		// as a service manager does between fork and exec
		os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	}
	logTo := func(policy.LogTarget) maillog.Log { return maillog.Syslog(logs) }
	err := Run(Options{File: file, LogTo: logTo})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// relayRole is a process that has a guard's connection, between stdin and the socket at path.
func relayRole(path string) {
	go endWith(os.Getppid())
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(c, os.Stdin)
		c.Close() // to exit takes a second under the race detector
		os.Exit(0)
	}()
	_, _ = io.Copy(os.Stdout, c)
	select {}
}

// never is for timeouts that must not expire.
const never = time.Hour

// inside counts the goroutines that are in a function.
func inside(function string) int {
	stacks := make([]byte, 16<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Count(text, "\nsendwrap/wrapper/guard."+function+"(")
}

// ourselves is the test binary in one of its other roles.
func ourselves(role ...string) *exec.Cmd { return exec.Command(os.Args[0], role...) }

// shortDir is a directory with a path short enough for that of a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "guard")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// child starts the test binary, or another program, with these arguments; it is killed when the
// test ends.
func child(t testing.TB, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // else a second, each
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// socketPair is one end of a pair of sockets, and the file of the other.
func socketPair(t testing.TB) (net.Conn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); theirs.Close() })
	return c, theirs
}
