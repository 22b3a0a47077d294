package exec

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// file is an *os.File for a descriptor of the test.
func file(t *testing.T, fd int) *os.File {
	t.Helper()
	f := os.NewFile(uintptr(fd), "")
	t.Cleanup(func() { f.Close() })
	return f
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// otherClient is the server's end of another TCP connection.
func otherClient(t *testing.T) *os.File {
	t.Helper()
	_, server := connect(t)
	fd, err := unix.FcntlInt(uintptr(server), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, fd)
}

// journal is a local stream socket, as systemd uses for stdout and stderr.
func journal(t *testing.T) *os.File {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file(t, pair[1])
	return file(t, pair[0])
}

func TestTakeStdio(t *testing.T) {
	const (
		client = "client" // the same as fd 0
		null   = "/dev/null"
		same   = "" // unchanged
	)
	logFile := openFile(t, t.TempDir()+"/log")
	devNull := openFile(t, os.DevNull)
	tests := []struct {
		name     string
		fds      fds
		closed   []int
		seen     string
		meantime string // fd 2 while the wrapper decides
		out, err string // fds 1 and 2 of the MTA
	}{
		{"inetd: all three are the client", fds{}, nil, "stderr true stdout false", null, same,
			same},
		{"tcpserver: stderr is a log file", fds{stderr: logFile}, nil, "stderr false stdout false",
			same, same, same},
		{"systemd: stderr is the journal", fds{stderr: journal(t)}, nil,
			"stderr false stdout false", same, same, same},
		{"stderr is another client", fds{stderr: otherClient(t)}, nil, "stderr true stdout false",
			null, same, same},
		{"StandardOutput=journal", fds{stdout: journal(t), stderr: journal(t)}, nil,
			"stderr false stdout true", same, client, same},
		{"StandardOutput=null", fds{stdout: devNull, stderr: logFile}, nil,
			"stderr false stdout true", same, client, same},
		{"StandardOutput=file", fds{stdout: logFile}, nil, "stderr true stdout true", null, client,
			same},
		{"stdout closed", fds{}, []int{1}, "stderr true stdout true", null, client, same},
		{"stderr closed", fds{}, []int{2}, "stderr false stdout false", null, same, null},
		{"both closed", fds{}, []int{1, 2}, "stderr false stdout true", null, client, null},
	}
	for how, program := range map[string]string{
		"": "", ", as it is released": built(t, released), ", the door": built(t, asDoor),
	} {
		for _, tt := range tests {
			t.Run(tt.name+how, func(t *testing.T) {
				s := start(t, setup{Closed: tt.closed, Program: program}, tt.fds)
				old := func(fd int, files *os.File) string {
					switch {
					case slices.Contains(tt.closed, fd):
						return null
					case files == nil:
						return s.link("fd/0")
					}
					return target(t, int(files.Fd()))
				}
				want := func(what, old string) string {
					switch what {
					case client:
						return s.link("fd/0")
					case same:
						return old
					}
					return what
				}
				s.becomeMTA()
				if got := s.variables()["SEEN"]; got != tt.seen {
					t.Errorf("TakeStdio saw %q; want %q", got, tt.seen)
				}
				if got, want := s.link("fd/1"), want(tt.out, old(1, tt.fds.stdout)); got != want {
					t.Errorf("fd 1 of the MTA is %s; want %s", got, want)
				}
				if got, want := s.link("fd/2"), want(tt.err, old(2, tt.fds.stderr)); got != want {
					t.Errorf("fd 2 of the MTA is %s; want %s", got, want)
				}
				if got := s.fds(); len(got) != 3 {
					t.Errorf("fds %v; want 0, 1 and 2", got)
				}

				// Fd 2 of the wrapper, after TakeStdio and a failed Replace.
				s = start(t, setup{Closed: tt.closed, Program: program,
					Argv: []string{"/nonexistent/mta"}}, tt.fds)
				s.send("hello\n")
				if got, want := s.line(),
					"421 exec /nonexistent/mta: no such file or directory"; got != want {
					t.Fatalf("the client read %q; want %q", got, want)
				}
				if got, want := s.link("fd/2"),
					want(tt.meantime, old(2, tt.fds.stderr)); got != want {
					t.Errorf("fd 2 of the wrapper is %s; want %s", got, want)
				}
			})
		}
	}
}

// Fds 0 and 2 can be different connections of clients.
func TestTakeStdioTwoSockets(t *testing.T) {
	var client unix.Stat_t
	other := otherClient(t)
	onStdin(t, otherClient(t), func() {
		if err := unix.Fstat(0, &client); err != nil {
			t.Fatal(err)
		}
		if !isClient(int(other.Fd()), &client) {
			t.Error("the second socket is not treated as a client's")
		}
	})
}

// If fd 0 is not a socket, stdout and stderr stay as they are: an administrator may read them.
func TestTakeStdioNoClient(t *testing.T) {
	for _, name := range []string{"pipe", "file", "null"} {
		t.Run(name, func(t *testing.T) {
			var f *os.File
			switch name {
			case "pipe":
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { r.Close(); w.Close() })
				f = r
			case "file":
				f = openFile(t, t.TempDir()+"/stdin")
			case "null":
				f = openFile(t, os.DevNull)
			}
			onStdin(t, f, func() {
				fd1, fd2 := target(t, 1), target(t, 2)
				s, err := TakeStdio()
				if err != nil || *s != (Stdio{}) {
					t.Errorf("TakeStdio: %+v, %v; want no change", s, err)
				}
				if target(t, 1) != fd1 || target(t, 2) != fd2 {
					t.Errorf("fds 1, 2 are %s, %s; were %s, %s", target(t, 1), target(t, 2), fd1,
						fd2)
				}
			})
		})
	}
}

// onStdin runs do with f as fd 0 of this process.
func onStdin(t *testing.T, f *os.File, do func()) {
	t.Helper()
	saved, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(saved)
	if err := unix.Dup3(int(f.Fd()), 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Dup3(saved, 0, 0)
	do()
}

func target(t *testing.T, fd int) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	return link
}
