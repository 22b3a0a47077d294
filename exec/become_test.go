package exec

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inherited is what a process shows of what it has got from its parent. Sockets have no numbers,
// since each process of these tests has others, but the client's stands apart.
func (s *session) inherited() string {
	s.t.Helper()
	var b strings.Builder
	client := s.link("fd/0")
	for _, fd := range s.fds() {
		link := strings.ReplaceAll(s.link("fd/"+fd), client, "the client")
		link = regexp.MustCompile(`\[\d+\]`).ReplaceAllString(link, "")
		b.WriteString(fd + " " + link + " " + s.field("fdinfo/"+fd, "flags:") + "\n")
	}
	for _, name := range []string{"SigBlk:", "SigIgn:", "SigCgt:", "Umask:"} {
		b.WriteString(name + " " + s.field("status", name) + "\n")
	}
	b.WriteString(s.field("limits", "Max open files") + "\n" + s.link("cwd") + "\n")
	return b.String()
}

// The program that another one becomes finds all as it would find it without that one, and one
// variable more. Its MTA does not get that variable.
func TestBecome(t *testing.T) {
	var all []int
	for n := 1; n <= 64; n++ {
		all = append(all, n)
	}
	logFile := openFile(t, t.TempDir()+"/log")
	door, full := built(t, asDoor), built(t, released)
	for _, tt := range []struct {
		name  string
		setup setup
		fds   fds
	}{
		{"inetd", setup{}, fds{}},
		{"after failures", setup{Failures: 2}, fds{}},
		{"tcpserver", setup{}, fds{stderr: logFile}},
		{"stderr is another client", setup{Failures: 2}, fds{stderr: otherClient(t)}},
		{"StandardOutput=journal", setup{Failures: 2}, fds{stdout: journal(t), stderr: journal(t)}},
		{"StandardOutput=file", setup{Failures: 2}, fds{stdout: logFile}},
		{"stdout is closed", setup{Closed: []int{1}}, fds{stderr: logFile}},
		{"no descriptor is free", setup{Nofile: []uint64{3, 200}}, fds{}},
		{"further descriptors", setup{Fds: []int{7, 8, 1000}}, fds{}},
		{"limits", setup{Nofile: []uint64{256, 4096}}, fds{}},
		{"all blocked", setup{Block: all}, fds{}},
		{"all ignored", setup{Ignore: all}, fds{}},
		{"O_NONBLOCK", setup{NonBlock: true}, fds{stderr: logFile}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.setup.Program = full
			direct := start(t, tt.setup, tt.fds)
			tt.setup.Program, tt.setup.Become = door, full
			s := start(t, tt.setup, tt.fds)
			if got := s.link("exe"); got != full {
				t.Fatalf("the program is %s; want %s, or the test proves nothing", got, full)
			}
			if got, want := s.inherited(), direct.inherited(); got != want {
				t.Errorf("it has inherited\n%s\nwithout another program before\n%s", got, want)
			}
			if got, want := s.read("cmdline"), direct.read("cmdline"); got != want {
				t.Errorf("arguments %q; want %q", got, want)
			}
			vars, want := s.variables(), direct.variables()
			if vars[DoorVariable] != "because" {
				t.Errorf("%s=%q", DoorVariable, vars[DoorVariable])
			}
			delete(vars, DoorVariable)
			delete(vars, roleName) // it says to become another
			delete(want, roleName)
			if !maps.Equal(vars, want) {
				t.Errorf("variables %q; want %q", vars, want)
			}
			if tt.setup.NonBlock || tt.setup.Nofile != nil && tt.setup.Nofile[0] == 3 {
				return // cat(1) would end
			}
			s.becomeMTA()
			direct.becomeMTA()
			if got, want := s.variables(), direct.variables(); got["SEEN"] != want["SEEN"] ||
				got[DoorVariable] != "" {
				t.Errorf("it saw %q, and says to its MTA %q; want %q and nothing", got["SEEN"],
					got[DoorVariable], want["SEEN"])
			}
		})
	}
}

// If there is no other program, the client can be refused, and reads nothing else.
func TestBecomeFailure(t *testing.T) {
	door := built(t, asDoor)
	for _, tt := range failures(t) {
		if tt.path == "" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			client, server := connect(t)
			s := launch(t, setup{Program: door, Become: tt.path, Panic: true}, fds{}, client,
				server)
			s.readsOnly(t, "421 "+tt.want)
		})
	}
}

// A variable of that name that we have got is replaced.
func TestBecomeTwice(t *testing.T) {
	environ := []string{"A=1", DoorVariable + "=1", "B=2", DoorVariable + "=2",
		DoorVariable + "S=3"}
	want := []string{"A=1", "B=2", DoorVariable + "S=3"}
	if got := without(environ, DoorVariable); !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	pathErr, ok := new(Stdio).Become("/nonexistent/sendwrap", "1").(*os.PathError)
	if !ok || pathErr.Err != error(unix.ENOENT) {
		t.Errorf("%v; want an *os.PathError with ENOENT", pathErr)
	}
}
