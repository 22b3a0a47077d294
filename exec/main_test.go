package exec

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// In these tests the MTA is cat(1). It opens no file, handles no signal and sets no limit: /proc
// shows what it has inherited. Its echo shows that it and the client reach each other.
//
// The test binary plays the process before the MTA, with the same pid:
//
//	prepare  applies the setup of the test, and executes the test binary again, as
//	wrapper  writes "ready" to the client, waits for its first byte and becomes the MTA; or as
//	room     does the same for a client on fd 3, starts the MTA, and reports on fd 4
const roleName = "SENDWRAP_EXEC_TEST"

// setup is the environment of a wrapper or room.
type setup struct {
	Fds         []int    // open, not marked close-on-exec, on /dev/zero
	Ignore      []int    // signals
	Block       []int    // signals
	Nofile      []uint64 // soft and hard RLIMIT_NOFILE
	Memory      uint64   // RLIMIT_AS
	Closed      []int    // among 0, 1 and 2
	NonBlock    bool
	Slack       int      // timer slack in ns
	Argv        []string // the MTA; empty = cat
	Failures    int      // attempts with a missing program before
	Panic       bool     // panic after the MTA could not be started
	CloseClient bool     // and go on without the client
	Become      string   // before, become this program, which plays the wrapper
	Program     string   // the wrapper; empty = the test binary

	SetStderr bool // to Stderr
	Stderr    Stderr

	// Only for a room:
	Room     bool
	ClientAt int  // the client's descriptor; 0 = 3
	Notify   bool // signal.Notify at the beginning
}

func TestMain(m *testing.M) {
	if os.Args[0] == RelayName {
		Relay()
	}
	var s setup
	role, arg, _ := strings.Cut(os.Getenv(roleName), " ")
	if role != "" {
		if err := json.Unmarshal([]byte(arg), &s); err != nil {
			panic(err)
		}
	}
	switch role {
	case "prepare":
		s.prepare()
		next := "wrapper "
		if s.Room {
			next = "room "
		}
		os.Setenv(roleName, next+arg)
		panic(unix.Exec(cmp.Or(s.Program, os.Args[0]), os.Args, os.Environ()))
	case "wrapper":
		s.wrap()
	case "room":
		s.room()
	default:
		os.Exit(runWithBuilds(m))
	}
}

func (s *setup) prepare() {
	runtime.LockOSThread()
	if len(s.Nofile) == 2 {
		must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: s.Nofile[0], Max: s.Nofile[1]}))
	} else if len(s.Fds) > 0 {
		var lim unix.Rlimit
		must(unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
		must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: lim.Max, Max: lim.Max}))
	}
	for _, fd := range s.Fds {
		must(unix.Dup3(open("/dev/zero"), fd, 0))
	}
	for _, n := range s.Ignore {
		ignore(n)
	}
	var set unix.Sigset_t
	for _, n := range s.Block {
		set.Val[(n-1)/64] |= 1 << ((n - 1) % 64)
	}
	must(unix.PthreadSigmask(unix.SIG_SETMASK, &set, nil))
	if s.NonBlock {
		must(unix.SetNonblock(0, true))
	}
	for _, fd := range s.Closed {
		must(unix.Close(fd))
	}
	if s.Slack > 0 {
		must(unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(s.Slack), 0, 0, 0))
	}
	if s.Memory > 0 {
		must(unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: s.Memory, Max: s.Memory}))
	}
}

// wrap does what main does with this package.
func (s *setup) wrap() {
	if s.Become != "" && os.Getenv(DoorVariable) == "" {
		s.become()
	}
	say("ready\n")
	must(poll(0))
	stdio, err := TakeStdio()
	must(err)
	if s.CloseClient {
		must(stdio.CloseClient())
		time.Sleep(lab.Patience) // for the test to look at this process
		return
	}
	if s.SetStderr {
		_ = stdio.SetStderr(s.Stderr)
	}
	before := ""
	if s.Failures > 0 { // since it starts a thread
		before = threadStatus()
	}
	for range s.Failures {
		if err := stdio.Replace([]string{"/nonexistent/mta"}, os.Environ(), Ends{}); err == nil {
			panic("no error from a program that is missing")
		}
		if after := threadStatus(); before != "" && after != before {
			panic("before a Replace that failed:\n" + before + "after:\n" + after)
		}
	}
	argv := s.Argv
	if len(argv) == 0 {
		argv = []string{catPath()}
	}
	err = stdio.Replace(argv, append(Environ(), stdioSeen(stdio)), someEnds)
	say("421 " + err.Error() + "\n")
	if s.Panic {
		panic("this must not reach the client")
	}
	var b [100]byte
	unix.Read(0, b[:]) // the first byte
	poll(0)            // until the test has looked at this process and the client has left
}

// become does what the door does with this package. It returns if it could not become the program.
func (s *setup) become() {
	stdio, err := TakeStdio()
	must(err)
	before := threadStatus()
	for range s.Failures {
		if err := stdio.Become("/nonexistent/sendwrap", "x"); !errors.Is(err, unix.ENOENT) {
			panic(err)
		}
		if after := threadStatus(); after != before {
			panic("before a Become that failed:\n" + before + "after:\n" + after)
		}
	}
	err = stdio.Become(s.Become, "because")
	say("421 " + err.Error() + "\n")
	if s.Panic {
		panic("this must not reach the client")
	}
}

// stdioSeen is a variable by which the MTA shows what TakeStdio has found.
func stdioSeen(s *Stdio) string {
	return fmt.Sprintf("SEEN=stderr %v stdout %v", s.StderrIsClient, s.StdoutReplaced)
}

var someEnds = Ends{
	Client: netip.MustParseAddrPort("192.0.2.9:51544"),
	Server: netip.MustParseAddrPort("[2001:db8::25]:25"),
	Host:   "mx.test",
}

// threadStatus is the kernel's view of the signals of the calling thread, and fds 1 and 2. It is
// empty if no descriptor is free.
func threadStatus() string {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	data, err := os.ReadFile("/proc/thread-self/status")
	if errors.Is(err, unix.EMFILE) {
		return ""
	}
	must(err)
	fd1, err := os.Readlink("/proc/self/fd/1")
	must(err)
	fd2, err := os.Readlink("/proc/self/fd/2")
	must(err)
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "Sig") && !strings.HasPrefix(line, "SigQ") {
			b.WriteString(line)
		}
	}
	return b.String() + fd1 + "\n" + fd2 + "\n"
}

// ignore ignores signal n, whatever Go does with it. The kernel needs the address of a struct
// sigaction: a mapped file has one that is a plain number. Its first field is SIG_IGN, 1.
func ignore(n int) {
	fd, err := unix.MemfdCreate("sigaction", unix.MFD_CLOEXEC)
	must(err)
	_, err = unix.Write(fd, append([]byte{1}, make([]byte, 4095)...))
	must(err)
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE,
		uintptr(fd), 0)
	if errno == 0 && n != int(unix.SIGKILL) && n != int(unix.SIGSTOP) {
		_, _, errno = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), addr, 0, 8, 0, 0)
	}
	if errno != 0 {
		panic(errno)
	}
	unix.Close(fd)
}

func open(path string) int {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(err)
	return fd
}

// say writes to the client on fd 0: fd 1 may be another file.
func say(text string) {
	_, err := unix.Write(0, []byte(text))
	must(err)
}

func poll(fd int) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
			int(lab.Patience/time.Millisecond))
		if err != unix.EINTR {
			return err
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func catPath() string {
	path, err := osexec.LookPath("cat")
	must(err)
	path, err = filepath.Abs(path)
	must(err)
	return path
}
