package ledger

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// roleVar makes the test binary play one of the roles instead of running the tests.
const roleVar = "LEDGER_TEST_ROLE"

const thisProgram = "/proc/self/exe"

// A role is what a test has a process of its own do. An error is printed, and the process ends with
// status 1.
type role func(args []string) error

func roles() map[string]role {
	return map[string]role{
		"ask":      askRole,
		"attack":   attackRole,
		"bad":      badRcptsRole,
		"begin":    beginRole,
		"arrive":   arriveRole,
		"crash":    crashRole,
		"crowd":    crowdRole,
		"exec":     execRole,
		"flood":    floodRole,
		"noproc":   noProcRole,
		"renew":    renewRole,
		"reuse":    reuseRole,
		"queue":    queueRole,
		"room":     roomRole,
		"lose":     loseRole,
		"build":    buildRole,
		"open":     openRole,
		"read":     readRole,
		"diskfull": diskFullRole,
		"sizelim":  sizeLimitRole,
		"torture":  tortureRole,
		"trim":     trimRole,
		"rival":    rivalRole,
		"hammer":   hammerRole,
		"hold":     holdRole,
		"wide":     wideRole,

		"widelimits": wideLimitRole,
		"spin":       spinRole,
		"step":       stepRole,
		"stop":       stopRole,
	}
}

// A role that ptrace(2) follows is played by the first thread of its process: the tracing thread
// itself would have to wait for the end of any other thread.
func init() {
	if name := os.Getenv(roleVar); name == "build" || name == "step" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(roleVar); name != "" {
		if err := roles()[name](os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	_ = os.RemoveAll(plainDir)
	os.Exit(code)
}

// child is a process that plays a role.
type child struct {
	*exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	reaped bool
}

// start starts a child; it does not outlive the test. Its errors go to the test's own stderr.
func start(t testing.TB, name string, args ...string) *child {
	t.Helper()
	return startAs(t, thisProgram, nil, nil, name, args...)
}

// startAs starts a child from another program than this one, perhaps, with other attributes, such
// as namespaces, and more in its environment.
func startAs(t testing.TB, program string, attr *syscall.SysProcAttr, env []string, name string,
	args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(program, args...)}
	c.Env = append(append(os.Environ(), roleVar+"="+name, "GORACE=atexit_sleep_ms=0"), env...)
	c.Stderr = os.Stderr
	c.SysProcAttr = attr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() { _ = c.kill() })
	return c
}

// line is the next line that the child prints.
func (c *child) line(t testing.TB) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("child %d ended before its next line: %q, %v", c.Process.Pid, s, err)
	}
	return strings.TrimSuffix(s, "\n")
}

// tell writes a line to the child, which may wait for one.
func (c *child) tell(t testing.TB, line string) {
	t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		t.Fatalf("child %d: %v", c.Process.Pid, err)
	}
}

// kill ends the child by SIGKILL and reaps it.
func (c *child) kill() error {
	if c.reaped {
		return nil
	}
	_ = c.Process.Kill()
	return c.end()
}

// end waits for the child to end by itself.
func (c *child) end() error {
	c.reaped = true
	return c.Wait()
}

// signal sends a signal and, if that is SIGSTOP, waits until the child has stopped.
func (c *child) signal(t testing.TB, sig unix.Signal) {
	t.Helper()
	if err := unix.Kill(c.Process.Pid, sig); err != nil {
		t.Fatal(err)
	}
	if sig == unix.SIGSTOP {
		c.untilStopped(t)
	}
}

// untilStopped waits until the child is stopped.
func (c *child) untilStopped(t testing.TB) {
	t.Helper()
	var status unix.WaitStatus
	for {
		switch _, err := unix.Wait4(c.Process.Pid, &status, unix.WUNTRACED, nil); {
		case err == unix.EINTR:
		case err != nil || !status.Stopped():
			t.Fatalf("child %d did not stop: status %#x, %v", c.Process.Pid, status, err)
		default:
			return
		}
	}
}

// raise sends the calling thread a signal, which has its effect before raise returns.
func raise(sig unix.Signal) {
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), sig)
}

// waitForLine waits for the parent's next line.
func waitForLine() {
	var b [1]byte
	for b[0] != '\n' {
		if n, err := unix.Read(0, b[:]); n == 0 || err != nil && err != unix.EINTR {
			os.Exit(0) // the parent is gone
		}
	}
}

// ends is for work that could block or loop forever. It ends the whole test program if the work
// does.
func ends(what string, work func()) {
	defer time.AfterFunc(5*lab.Patience, func() { panic(what + " does not end") }).Stop()
	work()
}

// ownDir is a directory like the ledger's: no other user may look into it.
func ownDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
