package exec

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// The program that Replace runs in these tests is cat(1): it opens nothing, handles no signal and
// sets no limit, so that /proc shows of it just what it inherited, and what it echoes shows that
// the client reaches it and is reached.
//
// The test binary plays what comes before, in one process and hence one pid:
//
//	prepare  spoils what is inherited as the case wants it, and executes the test binary again as
//	wrapper  which says "ready" to the client, waits for its first byte without taking it, and replaces itself; or as
//	room     which does the same for a client on fd 3, but starts a child, and tells of it on fd 4 (spawn_test.go).
const roleName = "SENDWRAP_EXEC_TEST"

// spoiled is what the case wants the wrapper to find.
type spoiled struct {
	Fds      []int    // open, not marked close-on-exec, on a file of no importance
	Ignore   []int    // signals
	Block    []int    // signals
	Nofile   []uint64 // soft and hard RLIMIT_NOFILE
	Memory   uint64   // RLIMIT_AS
	Closed   []int    // among 0, 1 and 2
	NonBlock bool
	Argv     []string // the MTA; cat if empty
	Failures int      // try a program that is missing first, as often
	Panic    bool     // panic once the MTA could not be started
	LetGo    bool     // go on without the client
	Program  string   // the wrapper; the test binary if empty

	SetStderr bool // to Stderr
	Stderr    Stderr

	// For a room alone.
	Room     bool
	ClientAt int  // the number of the client's descriptor; 3 if 0
	Notify   bool // the signals of a room, before anything else
}

func TestMain(m *testing.M) {
	if os.Args[0] == RelayName {
		Relay()
	}
	var s spoiled
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
		os.Exit(m.Run())
	}
}

func (s *spoiled) prepare() {
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
	if s.Memory > 0 {
		must(unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: s.Memory, Max: s.Memory}))
	}
}

// wrap is what main does, as far as this package is concerned.
func (s *spoiled) wrap() {
	say("ready\n")
	must(poll(0))
	stdio, err := TakeStdio()
	must(err)
	if s.LetGo {
		must(stdio.LetGo())
		time.Sleep(lab.Patience) // until the test has looked at us
		return
	}
	if s.SetStderr {
		_ = stdio.SetStderr(s.Stderr)
	}
	before := threadStatus()
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
	environ := append(os.Environ(), fmt.Sprintf("SEEN=stderr %v stdout %v", stdio.StderrIsClient, stdio.StdoutWasLost))
	err = stdio.Replace(argv, environ, someEnds)
	say("421 " + err.Error() + "\n")
	if s.Panic {
		panic("this must not reach the client")
	}
	var b [100]byte
	unix.Read(0, b[:]) // what it waited for, and then
	poll(0)            // until the test has looked at us and the client is gone
}

var someEnds = Ends{
	Client: netip.MustParseAddrPort("192.0.2.9:51544"),
	Server: netip.MustParseAddrPort("[2001:db8::25]:25"),
	Host:   "mx.test",
}

// threadStatus is how the kernel sees the signals of the calling thread, and what fd 2 is; nothing
// if no descriptor is free to look with.
func threadStatus() string {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	data, err := os.ReadFile("/proc/thread-self/status")
	if errors.Is(err, unix.EMFILE) {
		return ""
	}
	must(err)
	fd2, err := os.Readlink("/proc/self/fd/2")
	must(err)
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "Sig") && !strings.HasPrefix(line, "SigQ") {
			b.WriteString(line)
		}
	}
	return b.String() + fd2 + "\n"
}

// ignore makes the kernel ignore signal n, whatever n is. The kernel wants the address of a struct
// sigaction: a mapped file that holds SIG_IGN, the number 1, in its first field has one that is a
// plain number.
func ignore(n int) {
	fd, err := unix.MemfdCreate("sigaction", unix.MFD_CLOEXEC)
	must(err)
	_, err = unix.Write(fd, append([]byte{1}, make([]byte, 4095)...))
	must(err)
	addr, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, uintptr(fd), 0)
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

// say writes to the client, on fd 0: fd 1 may be anything.
func say(text string) {
	_, err := unix.Write(0, []byte(text))
	must(err)
}

func poll(fd int) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(lab.Patience/time.Millisecond))
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

// session is a wrapper with a client, and then its MTA.
type session struct {
	t      *testing.T
	pid    int
	client net.Conn
	lines  *bufio.Reader
	server int // our copy of the server's end: the same open file description as the MTA's fd 0
	cmd    *osexec.Cmd
}

// fds says what a session gets as fds 1 and 2, and where it runs; fd 0 is the client's socket. nil
// is the client's too.
type fds struct {
	stdout, stderr *os.File
	dir            string
}

// start starts a wrapper that waits for the client's first byte.
func start(t *testing.T, s spoiled, f fds) *session {
	t.Helper()
	client, server := connect(t)
	return startOn(t, s, f, client, server)
}

func startOn(t *testing.T, s spoiled, f fds, client net.Conn, server int) *session {
	t.Helper()
	ses := launch(t, s, f, client, server)
	if got := ses.line(); got != "ready" {
		t.Fatalf("the wrapper said %q; want ready", got)
	}
	return ses
}

// launch starts a wrapper that may not come to anything.
func launch(t *testing.T, s spoiled, f fds, client net.Conn, server int) *session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	arg, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	dup, err := unix.FcntlInt(uintptr(server), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.NewFile(uintptr(dup), "client")
	defer stdin.Close()
	cmd := osexec.Command(self)
	cmd.Env = append(os.Environ(), roleName+"=prepare "+string(arg))
	cmd.Dir = f.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdin, stdin
	if f.stdout != nil {
		cmd.Stdout = f.stdout
	}
	if f.stderr != nil {
		cmd.Stderr = f.stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(lab.Patience))
	ses := &session{t: t, pid: cmd.Process.Pid, client: client, lines: bufio.NewReader(client), server: server, cmd: cmd}
	t.Cleanup(func() {
		client.Close()
		unix.Shutdown(server, unix.SHUT_RDWR)
		cmd.Process.Kill()
		cmd.Wait()
	})
	return ses
}

// connect makes a real TCP connection over loopback. The server's end is a bare descriptor, in
// blocking mode and with Nagle's algorithm, as super-servers hand it over and net.Conn would not.
func connect(t *testing.T) (client net.Conn, server int) {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l, 1); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	client, err = net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(name.(*unix.SockaddrInet4).Port))
	if err != nil {
		t.Fatal(err)
	}
	server, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); unix.Close(server) })
	return client, server
}

// become lets the wrapper go on and returns once the MTA echoes.
func (s *session) become() {
	s.t.Helper()
	s.send("hello\n")
	if got := s.line(); got != "hello" {
		s.t.Fatalf("the MTA said %q; want hello", got)
	}
	if got := s.read("comm"); got != "cat\n" {
		s.t.Fatalf("process %d is %q; want cat", s.pid, got)
	}
}

func (s *session) send(text string) {
	s.t.Helper()
	if _, err := s.client.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// rest is what the client reads after the process is gone.
func (s *session) rest() string {
	s.t.Helper()
	s.cmd.Wait()
	unix.Shutdown(s.server, unix.SHUT_RDWR) // the test's copy of the socket would keep it open
	text, err := io.ReadAll(s.lines)
	if err != nil && !errors.Is(err, unix.ECONNRESET) { // the process left something unread
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *session) line() string {
	s.t.Helper()
	text, err := s.lines.ReadString('\n')
	if err != nil {
		s.t.Fatalf("the client read %q: %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// read returns what /proc has under name about the process.
func (s *session) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.pid, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *session) link(name string) string {
	s.t.Helper()
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", s.pid, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return target
}

// field returns the rest of the line that begins with name in a file of /proc, blanks made single.
func (s *session) field(file, name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.read(file)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	s.t.Fatalf("no %q in /proc/%d/%s", name, s.pid, file)
	return ""
}

// fds returns the numbers of the open descriptors.
func (s *session) fds() []string {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// variables returns the value of each name in the environment that the process was started with,
// and fails on a name that is there twice.
func (s *session) variables() map[string]string {
	s.t.Helper()
	vars := make(map[string]string)
	for entry := range strings.SplitSeq(strings.TrimSuffix(s.read("environ"), "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := vars[name]; twice {
			s.t.Errorf("%s is in the environment twice", name)
		}
		vars[name] = value
	}
	return vars
}
