package try

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ample is what nothing here takes, however slow and busy the machine is.
const ample = 2 * time.Minute

// asks names the variable that makes this test binary something else.
const asks = "SENDWRAP_TRY_TEST_IS"

// TestMain is also each program that a test puts in the place of sendwrap.
func TestMain(m *testing.M) {
	if is := os.Getenv(asks); strings.HasPrefix(is, "a guard ") {
		playGuard(is)
	}
	switch os.Getenv(asks) {
	case "":
		os.Exit(run(m))
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

// itself is the path of this test binary, which is something else from now on.
func itself(t *testing.T, is string) string {
	t.Helper()
	t.Setenv(asks, is)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// report says what the super-server has given us.
func report(to io.Writer) {
	var st [3]unix.Stat_t
	for fd := range st {
		if err := unix.Fstat(fd, &st[fd]); err != nil {
			fmt.Fprintln(to, err)
		}
	}
	one := st[0].Mode&unix.S_IFMT == unix.S_IFSOCK && st[0].Ino == st[1].Ino && st[0].Ino == st[2].Ino
	flags, _ := unix.FcntlInt(0, unix.F_GETFL, 0)
	protocol, _ := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	cwd, _ := os.Getwd()
	fmt.Fprintf(to, "args=%q socket=%v nonblock=%v protocol=%d cwd=%s\n", os.Args, one, flags&unix.O_NONBLOCK != 0, protocol, cwd)
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "try-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	sendwrap = sync.OnceValues(func() (string, error) {
		program := filepath.Join(dir, "sendwrap")
		build := exec.Command("go", "build", "-o", program, "sendwrap")
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s", build, err, out)
		}
		return program, nil
	})
	return m.Run()
}

// tempDir is a directory in whose name there is room for that of a socket.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "try-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// sendwrap builds the program from the sources beside these, once.
var sendwrap func() (string, error)

func built(t *testing.T) string {
	t.Helper()
	program, err := sendwrap()
	if err != nil {
		t.Fatal(err)
	}
	return program
}
