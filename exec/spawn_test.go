package exec

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Where it does not matter what the parent of an MTA is like, the test itself plays the room:
// spawn. Where it does, the test binary does, spoiled as the case wants it: enter.

// spawn starts cat for a client, as a child of the test's.
func spawn(t *testing.T) *session {
	t.Helper()
	client, server := connect(t)
	return spawnFor(t, new(Stdio), client, server)
}

func spawnFor(t *testing.T, stdio *Stdio, client net.Conn, server int) *session {
	t.Helper()
	CloseOnExec() // whoever runs the test may have left something open
	pid, err := stdio.Spawn([]string{catPath()}, os.Environ(), server, someEnds)
	if err != nil {
		t.Fatal(err)
	}
	client.SetDeadline(time.Now().Add(lab.Patience))
	t.Cleanup(func() {
		unix.Kill(pid, unix.SIGKILL)
		reap(t, pid)
	})
	return &session{t: t, pid: pid, client: client, lines: bufio.NewReader(client), server: server}
}

// reap waits for a child of the test's own.
func reap(t *testing.T, pid int) unix.WaitStatus {
	t.Helper()
	var status unix.WaitStatus
	for {
		got, err := unix.Wait4(pid, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if got != pid || err != nil {
			t.Errorf("wait4(%d): %d, %v", pid, got, err)
		}
		return status
	}
}

// room is what package room does, as far as this package is concerned.
func (s *spoiled) room() {
	const control = 4
	told := bufio.NewWriter(os.NewFile(control, "control"))
	tell := func(format string, args ...any) {
		fmt.Fprintf(told, format+"\n", args...)
		told.Flush()
	}
	came := make(chan os.Signal, 100)
	if s.Notify {
		signal.Notify(came, roomSignals...)
	}
	client := 3
	if s.ClientAt != 0 {
		fd, err := unix.FcntlInt(uintptr(client), unix.F_DUPFD_CLOEXEC, s.ClientAt)
		must(err)
		must(unix.Close(client))
		client = fd
	}
	stdio, err := TakeStdio()
	must(err)
	CloseOnExec()
	tell("ready, client at %d", client)
	must(poll(client))
	argv := s.Argv
	if len(argv) == 0 {
		argv = []string{catPath()}
	}
	environ := append(os.Environ(), fmt.Sprintf("SEEN=stderr %v stdout %v", stdio.StderrIsClient, stdio.StdoutWasLost))
	for range s.Failures {
		if pid, err := stdio.Spawn([]string{"/nonexistent/mta"}, environ, client, someEnds); pid != 0 || err == nil {
			panic(fmt.Sprintf("a program that is missing has pid %d, %v", pid, err))
		}
	}
	pid, err := stdio.Spawn(argv, environ, client, someEnds)
	must(unix.Close(client))
	if err != nil {
		tell("%v", err)
	} else {
		tell("%d", pid)
	}
	for {
		select {
		case sig := <-came:
			tell("%v", sig)
		case <-time.After(lab.Patience):
			panic("the test has forgotten us")
		}
	}
}

// roomSignals are those that a room listens to.
var roomSignals = []os.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGUSR2, unix.SIGCHLD}

// aRoom is a room with one client. What its session shows of a process is the room's.
type aRoom struct {
	*session
	control *bufio.Reader
}

// given says what a room gets as fds 0, 1 and 2. nil is /dev/null.
type given struct{ stdin, stdout, stderr *os.File }

// enter starts a room that waits for its client's first byte.
func enter(t *testing.T, s spoiled, f given) *aRoom {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Room = true
	arg, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	client, server := connect(t)
	dup, err := unix.FcntlInt(uintptr(server), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(dup), "client")
	defer socket.Close()
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(self)
	cmd.Env = append(os.Environ(), roleName+"=prepare "+string(arg))
	cmd.ExtraFiles = []*os.File{socket, theirs}
	if f.stdin != nil {
		cmd.Stdin = f.stdin
	}
	if f.stdout != nil { // a nil *os.File in an io.Writer is not nil
		cmd.Stdout = f.stdout
	}
	if f.stderr != nil {
		cmd.Stderr = f.stderr
	}
	err = cmd.Start()
	theirs.Close() // the room's is the only one, and its end is the end of the file
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(lab.Patience)
	client.SetDeadline(deadline)
	ours.SetReadDeadline(deadline)
	r := &aRoom{control: bufio.NewReader(ours)}
	r.session = &session{t: t, pid: cmd.Process.Pid, client: client, lines: bufio.NewReader(client), server: server, cmd: cmd}
	t.Cleanup(func() {
		client.Close()
		unix.Shutdown(server, unix.SHUT_RDWR) // so that the MTA, which nobody of ours can wait for, ends
		cmd.Process.Kill()
		cmd.Wait()
		ours.Close()
	})
	at := max(s.ClientAt, 3)
	if got, want := r.told(), fmt.Sprintf("ready, client at %d", at); got != want {
		t.Fatalf("the room said %q; want %q", got, want)
	}
	return r
}

// told is the next line that the room has for the test.
func (r *aRoom) told() string {
	r.t.Helper()
	text, err := r.control.ReadString('\n')
	if err != nil {
		r.t.Fatalf("the room said %q: %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// spawn lets the room go on, and returns the MTA once it echoes.
func (r *aRoom) spawn() *session {
	r.t.Helper()
	r.send("first\n")
	text := r.told()
	pid, err := strconv.Atoi(text)
	if err != nil {
		r.t.Fatalf("the room said %q; want a pid", text)
	}
	mta := *r.session
	mta.pid = pid
	if got := mta.line(); got != "first" {
		r.t.Fatalf("the MTA said %q; want what the client had said before", got)
	}
	mta.become()
	return &mta
}

func TestSpawnDescriptors(t *testing.T) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur < 1100 {
		lab.Need(t, fmt.Sprintf("RLIMIT_NOFILE is %d: raise it to 1100 or more, as by ulimit -n", lim.Cur))
	}
	for range 1000 {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	s := spawn(t)
	s.become()
	if got := s.fds(); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
		t.Errorf("the MTA has fds %v; want 0, 1 and 2", got)
	}
}

// What a parent left open is not handed on, and not by Spawn's own doing.
func TestSpawnInheritedDescriptors(t *testing.T) {
	extra := []int{100, 200, 300, 5000}
	r := enter(t, spoiled{Fds: extra}, given{})
	for _, fd := range extra {
		if got := r.link(fmt.Sprintf("fd/%d", fd)); got != "/dev/zero" {
			t.Fatalf("fd %d of the room is %s: the test proves nothing", fd, got)
		}
	}
	if got := r.spawn().fds(); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
		t.Errorf("the MTA has fds %v; want 0, 1 and 2", got)
	}
}

// The last descriptor that RLIMIT_NOFILE allows is some client's.
func TestSpawnLastDescriptor(t *testing.T) {
	const soft, hard = 300, 400
	last := hard - 2 // Go raises the soft limit to one less than the hard one
	r := enter(t, spoiled{Nofile: []uint64{soft, hard}, ClientAt: last}, given{})
	if got, want := r.field("limits", "Max open files"), fmt.Sprintf("%d %d files", last+1, hard); got != want {
		t.Fatalf("RLIMIT_NOFILE of the room: %s; want %s, or the test proves nothing", got, want)
	}
	r.spawn()
}

func TestSpawnStdio(t *testing.T) {
	const null = "/dev/null"
	listener := func() *os.File {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := file(t, fd)
		if err := unix.Listen(fd, 1); err != nil {
			t.Fatal(err)
		}
		return f
	}()
	log := openFile(t, t.TempDir()+"/log")
	local := journal(t)
	tests := []struct {
		name             string
		given            given
		seen             string
		roomOut, roomErr string // fds 1 and 2 of the room; "" is as they were
		client           bool   // whether fd 2 of the MTA is the client's; the room's otherwise
	}{
		{"inetd wait: all three are listening", given{listener, listener, listener}, "stderr true stdout false", "", null, true},
		{"inetd wait, stderr elsewhere", given{listener, listener, log}, "stderr false stdout false", "", "", false},
		{"StandardInput=socket, StandardOutput=journal", given{listener, local, local}, "stderr false stdout false", "", "", false},
		{"StandardInput=socket, StandardOutput=null", given{listener, nil, listener}, "stderr true stdout false", null, null, true},
		{"stderr is another client", given{listener, nil, otherClient(t)}, "stderr true stdout false", null, null, true},
		{"Accept=no: stdin is /dev/null", given{nil, local, local}, "stderr false stdout false", "", "", false},
		{"nothing anywhere", given{}, "stderr false stdout false", null, null, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := enter(t, spoiled{Failures: 1}, tt.given)
			target := func(f *os.File) string {
				if f == nil {
					return null
				}
				link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
				if err != nil {
					t.Fatal(err)
				}
				return link
			}
			want := func(what string, was *os.File) string {
				if what == "" {
					return target(was)
				}
				return what
			}
			mta := r.spawn()
			if got := mta.variables()["SEEN"]; got != tt.seen {
				t.Errorf("TakeStdio saw %q; want %q", got, tt.seen)
			}
			for fd, want := range []string{target(tt.given.stdin), want(tt.roomOut, tt.given.stdout), want(tt.roomErr, tt.given.stderr)} {
				if got := r.link(fmt.Sprintf("fd/%d", fd)); got != want {
					t.Errorf("fd %d of the room is %s; want %s", fd, got, want)
				}
			}
			client := fmt.Sprintf("socket:[%d]", inode(t, r.server))
			stderr := client
			if !tt.client {
				stderr = r.link("fd/2")
			}
			for fd, want := range []string{client, client, stderr} {
				if got := mta.link(fmt.Sprintf("fd/%d", fd)); got != want {
					t.Errorf("fd %d of the MTA is %s; want %s", fd, got, want)
				}
			}
			if got := mta.fds(); len(got) != 3 {
				t.Errorf("the MTA has fds %v; want 0, 1 and 2", got)
			}
		})
	}
}

func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestSpawnSocket(t *testing.T) {
	for _, nonBlock := range []bool{false, true} {
		t.Run(fmt.Sprint("nonblock ", nonBlock), func(t *testing.T) {
			client, server := connect(t)
			if err := unix.SetNonblock(server, nonBlock); err != nil {
				t.Fatal(err)
			}
			spawnFor(t, new(Stdio), client, server).become()
			if flags, err := unix.FcntlInt(uintptr(server), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 || err != nil {
				t.Errorf("flags %#x, %v; want no O_NONBLOCK", flags, err)
			}
		})
	}
}

func TestSpawnProcess(t *testing.T) {
	t.Chdir(t.TempDir())
	defer unix.Umask(unix.Umask(0o027))
	client, server := connect(t)
	pid, err := new(Stdio).Spawn([]string{catPath(), "-", "/dev/null"}, os.Environ(), server, someEnds)
	if err != nil {
		t.Fatal(err)
	}
	defer reap(t, pid)
	defer unix.Kill(pid, unix.SIGKILL)
	client.SetDeadline(time.Now().Add(lab.Patience))
	s := &session{t: t, pid: pid, client: client, lines: bufio.NewReader(client), server: server}
	s.become()
	if got := s.read("cmdline"); got != "cat\x00-\x00/dev/null\x00" {
		t.Errorf("argv is %q", got)
	}
	if want, err := os.Getwd(); err != nil || s.link("cwd") != want {
		t.Errorf("working directory is %s; want %s, %v", s.link("cwd"), want, err)
	}
	if got := s.field("status", "Umask:"); got != "0027" {
		t.Errorf("umask is %s; want 0027", got)
	}
	if got := s.field("status", "PPid:"); got != strconv.Itoa(os.Getpid()) {
		t.Errorf("the parent is %s; want %d", got, os.Getpid())
	}
	want, err := filepath.EvalSymlinks(catPath())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.link("exe"); got != want {
		t.Errorf("the program is %s; want %s", got, want)
	}
	if sid, err := unix.Getsid(pid); sid != pid || err != nil {
		t.Errorf("session %d, %v; want %d", sid, err, pid)
	}
	if pgid, err := unix.Getpgid(pid); pgid != pid || err != nil {
		t.Errorf("process group %d, %v; want %d", pgid, err, pid)
	}
}

func TestSpawnSignals(t *testing.T) {
	var all []int
	for n := 1; n <= 64; n++ {
		all = append(all, n)
	}
	tests := []struct {
		name    string
		spoiled spoiled
	}{
		{"as they should be", spoiled{}},
		{"all ignored", spoiled{Ignore: all}},
		{"all blocked", spoiled{Block: all}},
		{"all ignored and blocked", spoiled{Ignore: all, Block: all}},
		{"and the room listens", spoiled{Ignore: all, Block: all, Notify: true}},
		{"after failures", spoiled{Ignore: all, Block: all, Notify: true, Failures: 2}},
	}
	set := func(text string) uint64 {
		bits, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return bits
	}
	const untouched = 1<<(32-1) | 1<<(34-1) | 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGTTIN-1) | 1<<(unix.SIGTTOU-1) | 1<<(unix.SIGCONT-1)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := enter(t, tt.spoiled, given{})
			if ign := set(r.field("status", "SigIgn:")); tt.spoiled.Ignore != nil && ign&untouched != untouched {
				t.Fatalf("the room ignores %#x: the test proves nothing", ign)
			}
			if blk := set(r.field("status", "SigBlk:")); tt.spoiled.Block != nil && blk&(1<<(unix.SIGUSR1-1)) == 0 {
				t.Fatalf("the room blocks %#x: the test proves nothing", blk)
			}
			handled := r.field("status", "SigCgt:")
			mta := r.spawn()
			for _, name := range []string{"SigIgn:", "SigBlk:", "SigCgt:", "SigPnd:", "ShdPnd:"} {
				if got := set(mta.field("status", name)); got != 0 {
					t.Errorf("%s %#x; want none", name, got)
				}
			}
			if got := r.field("status", "SigCgt:"); got != handled {
				t.Errorf("the room handles %s; want %s, as before", got, handled)
			}
		})
	}
}

// What the room has asked Go for still arrives, whatever its parent ignored and blocked.
func TestSpawnNotify(t *testing.T) {
	var all []int
	for n := 1; n <= 64; n++ {
		all = append(all, n)
	}
	for name, s := range map[string]spoiled{
		"as they should be":       {Notify: true},
		"all ignored and blocked": {Notify: true, Ignore: all, Block: all},
	} {
		t.Run(name, func(t *testing.T) {
			r := enter(t, s, given{})
			mta := r.spawn()
			for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGUSR2} {
				if err := unix.Kill(r.pid, sig); err != nil {
					t.Fatal(err)
				}
				if got := r.told(); got != sig.String() {
					t.Errorf("the room was told %q; want %q", got, sig)
				}
			}
			if err := unix.Kill(mta.pid, unix.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if got := r.told(); got != unix.SIGCHLD.String() {
				t.Errorf("the room was told %q when the MTA ended; want %q", got, unix.SIGCHLD)
			}
		})
	}
}

// What the room's parent did not want to hear of must neither kill the room, nor stop it.
func TestSpawnPendingSignals(t *testing.T) {
	sent := []int{int(unix.SIGUSR1), int(unix.SIGALRM), int(unix.SIGTSTP), 64}
	r := enter(t, spoiled{Ignore: sent, Block: sent}, given{})
	for _, n := range sent {
		if err := unix.Kill(r.pid, unix.Signal(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := r.field("status", "ShdPnd:"), "8000000000082200"; got != want {
		t.Fatalf("pending in the room: %s; want %s, or the test proves nothing", got, want)
	}
	mta := r.spawn()
	if got := mta.field("status", "ShdPnd:"); got != "0000000000000000" {
		t.Errorf("pending in the MTA: %s", got)
	}
	if got := r.field("status", "State:"); strings.HasPrefix(got, "T") {
		t.Errorf("the room is %s", got)
	}
}

// The thread goes on with other goroutines.
func TestSpawnLeavesMask(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Sigset_t
	blocked := unix.Sigset_t{}
	blocked.Val[0] = 1 << (unix.SIGUSR1 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	blocked.Val[0] |= before.Val[0]

	mta := spawn(t)
	mta.become()
	if got := mta.field("status", "SigBlk:"); got != "0000000000000000" {
		t.Errorf("the MTA blocks %s", got)
	}
	if _, err := new(Stdio).Spawn([]string{"/nonexistent/mta"}, nil, mta.server, Ends{}); err == nil {
		t.Error("no error from a program that is missing")
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &after); err != nil || after != blocked {
		t.Errorf("the thread blocks %#x, %v; want %#x, as before", after.Val, err, blocked.Val)
	}
}

func TestSpawnLimits(t *testing.T) {
	for _, lim := range [][]uint64{{1024, 4096}, {1024, 1024}, {64, 128}} {
		t.Run(fmt.Sprint(lim), func(t *testing.T) {
			r := enter(t, spoiled{Nofile: lim, Failures: 1}, given{})
			if raised := fmt.Sprintf("%d %d files", lim[0], lim[1]); lim[0] < lim[1] && r.field("limits", "Max open files") == raised {
				t.Fatalf("RLIMIT_NOFILE of the room is %s still: the test proves nothing", raised)
			}
			if got, want := r.spawn().field("limits", "Max open files"), fmt.Sprintf("%d %d files", lim[0], lim[1]); got != want {
				t.Errorf("RLIMIT_NOFILE of the MTA: %s; want %s", got, want)
			}
		})
	}
}

func TestSpawnFailure(t *testing.T) {
	for _, tt := range failures(t) {
		t.Run(tt.name, func(t *testing.T) {
			client, server := connect(t)
			pid, err := new(Stdio).Spawn([]string{tt.path}, os.Environ(), server, someEnds)
			if pathErr, ok := err.(*os.PathError); pid != 0 || !ok || pathErr.Error() != tt.want {
				t.Errorf("Spawn: %d, %v; want 0, an *os.PathError with %q", pid, err, tt.want)
			}
			noChildren(t)

			// The client can still be told, and nobody else has it.
			if _, err := unix.Write(server, []byte("421 later\r\n")); err != nil {
				t.Error(err)
			}
			unix.Shutdown(server, unix.SHUT_WR)
			client.SetDeadline(time.Now().Add(lab.Patience))
			if text, err := bufio.NewReader(client).ReadString(0); text != "421 later\r\n" {
				t.Errorf("the client read %q, %v", text, err)
			}
		})
	}
	if _, err := new(Stdio).Spawn(nil, nil, 0, Ends{}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("Spawn without a program: %v; want ENOENT", err)
	}
	var sysErr *os.SyscallError
	if _, err := new(Stdio).Spawn([]string{catPath()}, nil, -1, Ends{}); !errors.As(err, &sysErr) || !errors.Is(err, unix.EBADF) {
		t.Errorf("Spawn without a client: %v; want an *os.SyscallError with EBADF", err)
	}
}

// noChildren fails if the test has a child, dead or alive.
func noChildren(t *testing.T) {
	t.Helper()
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("wait4: %d, %v; want ECHILD, no child", pid, err)
	}
}

func TestSpawnLeaksNothing(t *testing.T) {
	missing, good := []string{"/nonexistent/mta"}, []string{truePath(t)}
	_, server := connect(t)
	open := func() []string { return (&session{t: t, pid: os.Getpid()}).fds() }
	before := open()
	stdio := new(Stdio)
	for range 200 {
		if _, err := stdio.Spawn(missing, nil, server, someEnds); !errors.Is(err, unix.ENOENT) {
			t.Fatalf("Spawn: %v; want ENOENT", err)
		}
	}
	noChildren(t)
	for range 200 {
		pid, err := stdio.Spawn(good, nil, server, someEnds)
		if err != nil {
			t.Fatal(err)
		}
		if status := reap(t, pid); status.ExitStatus() != 0 {
			t.Fatalf("status %#x of %s", status, good[0])
		}
	}
	noChildren(t)
	if after := open(); !reflect.DeepEqual(after, before) {
		t.Errorf("fds %v; were %v", after, before)
	}
}

func truePath(t *testing.T) string {
	t.Helper()
	path, err := osexec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The room reaps whatever there is to reap, while others of its goroutines spawn and open.
func TestSpawnReapedElsewhere(t *testing.T) {
	const spawners, each = 4, 50
	missing, good := []string{"/nonexistent/mta"}, []string{truePath(t)}
	done := make(chan struct{})
	reaped := make(map[int]int) // how often each pid, of those that ended well
	var reaper, others, spawning sync.WaitGroup
	reaper.Go(func() {
		for last := false; ; {
			select {
			case <-done:
				last = true
			default:
			}
			var status unix.WaitStatus
			pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			switch {
			case pid > 0 && status.ExitStatus() == 0:
				reaped[pid]++
			case pid > 0 && status.ExitStatus() == 253: // could not exec
			case pid > 0:
				t.Errorf("pid %d has status %#x", pid, status)
			case err == unix.ECHILD && last:
				return
			}
		}
	})
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Error(err)
					return
				}
				unix.Close(pair[0])
				unix.Close(pair[1])
			}
		}
	})
	var mu sync.Mutex
	spawned := make(map[int]int)
	stdio := new(Stdio)
	_, server := connect(t)
	for range spawners {
		spawning.Go(func() {
			for range each {
				if _, err := stdio.Spawn(missing, nil, server, someEnds); !errors.Is(err, unix.ENOENT) {
					t.Errorf("Spawn: %v; want ENOENT", err)
				}
				pid, err := stdio.Spawn(good, nil, server, someEnds)
				if err != nil {
					t.Errorf("Spawn: %v", err)
				}
				mu.Lock()
				spawned[pid]++
				mu.Unlock()
			}
		})
	}
	all := make(chan struct{})
	go func() { spawning.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(2 * lab.Patience): // it is much work, beside two loops that never pause
		t.Fatal("Spawn hangs")
	}
	close(done)
	reaper.Wait()
	others.Wait()
	if !maps.Equal(reaped, spawned) || len(spawned) != spawners*each {
		t.Errorf("reaped %v; spawned %v", reaped, spawned)
	}
}
