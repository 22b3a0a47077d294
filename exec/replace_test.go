package exec

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDescriptors(t *testing.T) {
	extra := []int{3, 7, 200, 300, 5000}
	s := start(t, setup{Fds: extra}, fds{})
	for _, fd := range extra {
		if got := s.link(fmt.Sprintf("fd/%d", fd)); got != "/dev/zero" {
			t.Fatalf("fd %d of the wrapper is %s: the test proves nothing", fd, got)
		}
	}
	s.becomeMTA()
	if got := s.fds(); !reflect.DeepEqual(got, []string{"0", "1", "2"}) {
		t.Errorf("the MTA has fds %v; want 0, 1 and 2", got)
	}
	for fd := 1; fd <= 2; fd++ {
		if got, want := s.link(fmt.Sprintf("fd/%d", fd)), s.link("fd/0"); got != want {
			t.Errorf("fd %d is %s; want the client's %s", fd, got, want)
		}
	}
}

// Kernels before 5.11, and filters of containers that do not know close_range(2).
func TestDescriptorsOfOldKernels(t *testing.T) {
	ways := map[string]func() error{
		"listed":  closeOnExecListed,
		"counted": func() error { closeOnExecCounted(); return nil },
	}
	for name, mark := range ways {
		t.Run(name, func(t *testing.T) {
			fds := []int{-1, 300, 5000}
			for i, want := range fds {
				fd, err := unix.FcntlInt(0, unix.F_DUPFD, max(want, 3))
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				fds[i] = fd
			}
			before, _ := unix.FcntlInt(1, unix.F_GETFD, 0)
			if err := mark(); err != nil {
				t.Fatal(err)
			}
			for _, fd := range fds {
				if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil ||
					flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("fd %d: flags %#x, %v; want FD_CLOEXEC", fd, flags, err)
				}
			}
			if after, _ := unix.FcntlInt(1, unix.F_GETFD, 0); after != before {
				t.Errorf("fd 1: flags %#x, were %#x", after, before)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for _, lim := range [][]uint64{{1024, 4096}, {1024, 1024}, {9, 12}, {256, 20}} {
		if lim[0] > lim[1] {
			lim[0] = lim[1]
		}
		t.Run(fmt.Sprint(lim), func(t *testing.T) {
			s := start(t, setup{Nofile: lim}, fds{})
			t.Logf("wrapper: %s", s.field("limits", "Max open files"))
			s.becomeMTA()
			if got, want := s.field("limits", "Max open files"),
				fmt.Sprintf("%d %d files", lim[0], lim[1]); got != want {
				t.Errorf("RLIMIT_NOFILE of the MTA: %s; want %s", got, want)
			}
		})
	}
}

// RLIMIT_NOFILE of 3: the descriptors of the super-server, and no other.
func TestNoFreeDescriptor(t *testing.T) {
	tests := []struct {
		name     string
		failures int
		stderr   *os.File
	}{
		{"inetd", 0, nil},
		{"inetd, after failures", 2, nil},
		{"stderr is another client", 0, otherClient(t)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, setup{Nofile: []uint64{100, 200}, Failures: tt.failures},
				fds{stderr: tt.stderr})
			// From outside: Go restores the original 100 for the MTA, which needs them to load.
			if err := unix.Prlimit(s.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 200},
				nil); err != nil {
				t.Fatal(err)
			}
			s.becomeMTA()
			if got := s.variables()["SEEN"]; got != "stderr true stdout false" {
				t.Errorf("TakeStdio saw %q", got)
			}
			if got, want := s.link("fd/2"), s.link("fd/0"); got != want {
				t.Errorf("fd 2 is %s; want the client's %s", got, want)
			}
		})
	}
}

func TestBlockingMode(t *testing.T) {
	for _, nonBlock := range []bool{false, true} {
		t.Run(fmt.Sprint("nonblock ", nonBlock), func(t *testing.T) {
			s := start(t, setup{NonBlock: nonBlock}, fds{})
			// cat ends if its socket does not block. The open file description is ours too.
			s.send("hello\n")
			if got := s.line(); got != "hello" {
				t.Fatalf("the MTA wrote %q", got)
			}
			flags, err := unix.FcntlInt(uintptr(s.server), unix.F_GETFL, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := flags&unix.O_NONBLOCK != 0; got != nonBlock {
				t.Errorf("O_NONBLOCK is %v; want %v", got, nonBlock)
			}
		})
	}
}

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	s := start(t, setup{Argv: []string{catPath(), "-", "/dev/null"}}, fds{dir: dir})
	// Field 22, the start time, counted from after the name.
	born := func() string {
		return strings.Fields(s.read("stat")[strings.LastIndex(s.read("stat"), ")"):])[20]
	}
	before := born()
	umask := s.field("status", "Umask:")
	s.becomeMTA() // the pid is the same: the session still finds it in /proc
	if after := born(); after != before || after == "0" {
		t.Errorf("start time is %s, was %s", after, before)
	}
	if got := s.read("cmdline"); got != "cat\x00-\x00/dev/null\x00" {
		t.Errorf("argv is %q", got)
	}
	if got := s.link("cwd"); got != dir {
		t.Errorf("working directory is %s; want %s", got, dir)
	}
	if got := s.field("status", "Umask:"); got != umask {
		t.Errorf("umask is %s, was %s", got, umask)
	}
	want, err := filepath.EvalSymlinks(catPath())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.link("exe"); got != want {
		t.Errorf("the program is %s; want %s", got, want)
	}
}

// failure is a program that cannot be started, and the error.
type failure struct{ name, path, want string }

func failures(t *testing.T) []failure {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy := filepath.Join(dir, "busy")
	data, err := os.ReadFile(catPath())
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(busy, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	return []failure{
		{"missing", "/nonexistent/mta", "exec /nonexistent/mta: no such file or directory"},
		{"directory", dir, "exec " + dir + ": is a directory"},
		{"not executable", write("plain", "#!/bin/sh\n", 0o644),
			"exec " + dir + "/plain: permission denied: the file is not executable"},
		{"below a file", catPath() + "/mta", "exec " + catPath() + "/mta: not a directory"},
		{"interpreter missing", write("script", "#!/nonexistent/sh\n", 0o755),
			"exec " + dir +
				"/script: its interpreter or loader does not exist: no " +
				"such file or directory"},
		{"no program", write("text", "exec /usr/sbin/sendmail -bs\n", 0o755),
			"exec " + dir +
				"/text: exec format error: neither a program for this machine nor a #! script"},
		{"being written", busy, "exec " + busy + ": text file busy"},
		{"empty", "", `exec "": no such file or directory`},
		{"NUL in the path", "/bin/\x00cat", "exec /bin/\x00cat: invalid argument"},
	}
}

// readsOnly checks that the client reads this line and nothing of the panic that follows.
func (s *session) readsOnly(t *testing.T, want string) {
	t.Helper()
	if got := s.line(); got != want {
		t.Errorf("the client read %q; want %q", got, want)
	}
	if got := s.rest(); got != "" {
		t.Errorf("and then %q", got)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit status %d; want the 2 of a panic, or the test proves nothing", code)
	}
}

func TestFailure(t *testing.T) {
	for _, tt := range failures(t) {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, setup{Argv: []string{tt.path}, Panic: true}, fds{})
			s.send("EHLO\n")
			s.readsOnly(t, "421 "+tt.want)
		})
	}
}

// A failed Replace does not change the caller: Go still handles its signals.
func TestFailureUndone(t *testing.T) {
	came := make(chan os.Signal, 1)
	signal.Notify(came, unix.SIGUSR1)
	defer signal.Stop(came)
	before := threadStatus()
	for range 3 {
		err := new(Stdio).Replace([]string{"/nonexistent/mta"}, nil, Ends{})
		if pathErr, ok := err.(*os.PathError); !ok || pathErr.Err != error(unix.ENOENT) {
			t.Fatalf("Replace: %v; want an *os.PathError with ENOENT", err)
		}
	}
	if err := new(Stdio).Replace(nil, nil, Ends{}); err == nil {
		t.Error("Replace without a program succeeds")
	}
	if after := threadStatus(); after != before {
		t.Errorf("signals before:\n%safter:\n%s", before, after)
	}
	if err := unix.Kill(unix.Getpid(), unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-came
}
