package try

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// ample is longer than anything here takes, on any machine.
const ample = 2 * time.Minute

// asks names the variable that makes this test binary play another program.
const asks = "SENDWRAP_TRY_TEST_IS"

// TestMain is also each program that a test puts in the place of sendwrap.
func TestMain(m *testing.M) {
	if role := os.Getenv(asks); strings.HasPrefix(role, "a guard ") {
		playGuard(role)
	}
	switch os.Getenv(asks) {
	case "":
		// In namespaces whose host name has a domain: sendmail waits a minute without one.
		os.Exit(lab.Isolate(lab.Setup{
			Build: func(dir string) error {
				return lab.Build(filepath.Join(dir, "sendwrap"), false)
			},
			Run: m.Run,
		}))
	case "a sendwrap that lets everyone through":
		StandIn("")
	case "a sendwrap that is late":
		time.Sleep(3500 * time.Millisecond)
		StandIn("")
	case "a sendwrap that denies everyone":
		fmt.Print("554 5.7.1 no\r\n")
	case "a sendwrap that crashes":
		os.Exit(3)
	case "a sendwrap that hangs":
		select {}
	case "a report":
		report(os.Stdout)
	default:
		fakeRoom(os.Getenv(asks))
	}
	syscall.Exit(0) // os.Exit takes a second with -race
}

// itself is the path of this test binary, which plays another program from now on.
func itself(t *testing.T, role string) string {
	t.Helper()
	t.Setenv(asks, role)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// report prints what the super-server has passed.
func report(to io.Writer) {
	var st [3]unix.Stat_t
	for fd := range st {
		if err := unix.Fstat(fd, &st[fd]); err != nil {
			fmt.Fprintln(to, err)
		}
	}
	one := st[0].Mode&unix.S_IFMT == unix.S_IFSOCK && st[0].Ino == st[1].Ino &&
		st[0].Ino == st[2].Ino
	flags, _ := unix.FcntlInt(0, unix.F_GETFL, 0)
	protocol, _ := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	cwd, _ := os.Getwd()
	fmt.Fprintf(to, "args=%q socket=%v nonblock=%v protocol=%d cwd=%s\n",
		os.Args, one, flags&unix.O_NONBLOCK != 0, protocol, cwd)
}

// tempDir is a directory with a name short enough for a socket.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "try-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// built is sendwrap, built from this source.
func built() string { return filepath.Join(lab.Dir(), "sendwrap") }
