package exec

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// If the state of the MTA's parent does not matter, the test plays the room itself: spawn.
// Otherwise the test binary does, with a setup: startRoom.

// spawn starts cat for a client, as a child of the test.
func spawn(t *testing.T) *session {
	t.Helper()
	client, server := connect(t)
	return spawnFor(t, new(Stdio), client, server)
}

func spawnFor(t *testing.T, stdio *Stdio, client net.Conn, server int) *session {
	t.Helper()
	CloseOnExec() // the test may have inherited descriptors
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

// reap waits for a child of the test.
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

func TestSpawnDescriptors(t *testing.T) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur < 1100 {
		lab.Need(t,
			fmt.Sprintf("RLIMIT_NOFILE is %d: raise it to 1100 or more, as by ulimit -n", lim.Cur))
	}
	for range 1000 {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	s := spawn(t)
	s.becomeMTA()
	if got := s.fds(); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
		t.Errorf("the MTA has fds %v; want 0, 1 and 2", got)
	}
}

// An MTA does not inherit the descriptors of the room's parent.
func TestSpawnInheritedDescriptors(t *testing.T) {
	extra := []int{100, 200, 300, 5000}
	r := startRoom(t, setup{Fds: extra}, files{})
	for _, fd := range extra {
		if got := r.link(fmt.Sprintf("fd/%d", fd)); got != "/dev/zero" {
			t.Fatalf("fd %d of the room is %s: the test proves nothing", fd, got)
		}
	}
	if got := r.spawn().fds(); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
		t.Errorf("the MTA has fds %v; want 0, 1 and 2", got)
	}
}

// A client has the last descriptor that RLIMIT_NOFILE allows.
func TestSpawnLastDescriptor(t *testing.T) {
	const soft, hard = 300, 400
	last := hard - 2 // Go raises the soft limit to one less than the hard one
	r := startRoom(t, setup{Nofile: []uint64{soft, hard}, ClientAt: last}, files{})
	if got, want := r.field("limits", "Max open files"),
		fmt.Sprintf("%d %d files", last+1, hard); got != want {
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
		files            files
		seen             string
		roomOut, roomErr string // fds 1 and 2 of the room; "" = unchanged
		client           bool   // fd 2 of the MTA is the client's, else the room's
	}{
		{"inetd wait: all three are listening", files{listener, listener, listener},
			"stderr true stdout false", "", null, true},
		{"inetd wait, stderr elsewhere", files{listener, listener, log},
			"stderr false stdout false", "", "", false},
		{"StandardInput=socket, StandardOutput=journal", files{listener, local, local},
			"stderr false stdout false", "", "", false},
		{"StandardInput=socket, StandardOutput=null", files{listener, nil, listener},
			"stderr true stdout false", null, null, true},
		{"stderr is another client", files{listener, nil, otherClient(t)},
			"stderr true stdout false", null, null, true},
		{"Accept=no: stdin is /dev/null", files{nil, local, local}, "stderr false stdout false", "",
			"", false},
		{"nothing anywhere", files{}, "stderr false stdout false", null, null, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := startRoom(t, setup{Failures: 1}, tt.files)
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
			want := func(what string, file *os.File) string {
				if what == "" {
					return target(file)
				}
				return what
			}
			mta := r.spawn()
			if got := mta.variables()["SEEN"]; got != tt.seen {
				t.Errorf("TakeStdio saw %q; want %q", got, tt.seen)
			}
			for fd, want := range []string{target(tt.files.stdin),
				want(tt.roomOut, tt.files.stdout), want(tt.roomErr, tt.files.stderr)} {
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
			spawnFor(t, new(Stdio), client, server).becomeMTA()
			if flags, err := unix.FcntlInt(uintptr(server), unix.F_GETFL,
				0); flags&unix.O_NONBLOCK != 0 || err != nil {
				t.Errorf("flags %#x, %v; want no O_NONBLOCK", flags, err)
			}
		})
	}
}

func TestSpawnProcess(t *testing.T) {
	t.Chdir(t.TempDir())
	defer unix.Umask(unix.Umask(0o027))
	client, server := connect(t)
	pid, err := new(Stdio).Spawn([]string{catPath(), "-", "/dev/null"}, os.Environ(), server,
		someEnds)
	if err != nil {
		t.Fatal(err)
	}
	defer reap(t, pid)
	defer unix.Kill(pid, unix.SIGKILL)
	client.SetDeadline(time.Now().Add(lab.Patience))
	s := &session{t: t, pid: pid, client: client, lines: bufio.NewReader(client), server: server}
	s.becomeMTA()
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

func TestSpawnLimits(t *testing.T) {
	for _, lim := range [][]uint64{{1024, 4096}, {1024, 1024}, {64, 128}} {
		t.Run(fmt.Sprint(lim), func(t *testing.T) {
			r := startRoom(t, setup{Nofile: lim, Failures: 1}, files{})
			if raised := fmt.Sprintf("%d %d files", lim[0], lim[1]); lim[0] < lim[1] &&
				r.field("limits", "Max open files") == raised {
				t.Fatalf("RLIMIT_NOFILE of the room is %s still: the test proves nothing", raised)
			}
			if got, want := r.spawn().field("limits", "Max open files"),
				fmt.Sprintf("%d %d files", lim[0], lim[1]); got != want {
				t.Errorf("RLIMIT_NOFILE of the MTA: %s; want %s", got, want)
			}
		})
	}
}
