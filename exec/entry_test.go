package exec

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// builds are the programs of built by their flags, for all tests: each takes seconds.
var builds = struct {
	dir   string
	paths map[string]string
}{paths: map[string]string{}}

// runWithBuilds runs tests that call built.
func runWithBuilds(m *testing.M) int {
	dir, err := lab.MakeDir("sendwrap-exec-", nil)
	must(err)
	defer os.RemoveAll(dir)
	builds.dir = dir
	return m.Run()
}

// built is the test binary, linked without cgo and with these flags.
func built(t *testing.T, ldflags string) string {
	t.Helper()
	if path := builds.paths[ldflags]; path != "" {
		return path
	}
	path := filepath.Join(builds.dir, "built"+strconv.Itoa(len(builds.paths)))
	cmd := osexec.Command("go", "test", "-c", "-ldflags="+ldflags, "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	builds.paths[ldflags] = path
	return path
}

// released makes the program begin like the released one, asDoor like the door.
const (
	released = "-E=_rt0_sendwrap"
	asDoor   = "-E=_rt0_sendwrap_door"
)

// Fd 2 before main, and copies of it only where they are needed.
func TestEntry(t *testing.T) {
	const null, same = "/dev/null", ""
	logFile := openFile(t, t.TempDir()+"/log")
	programs := map[string]string{"released": built(t, released), "door": built(t, asDoor)}
	for _, tt := range []struct {
		name   string
		setup  setup
		stderr *os.File
		want   string
		copies int
	}{
		{"inetd: all three are the client", setup{}, nil, null, 0},
		{"and no descriptor is free", setup{Nofile: []uint64{3, 3}}, nil, null, 0},
		{"stderr is another client", setup{}, otherClient(t), null, 1},
		{"and no descriptor is free", setup{Nofile: []uint64{3, 3}}, otherClient(t), null, 0},
		{"stdout is closed, too", setup{Closed: []int{1}}, nil, null, 0},
		{"tcpserver: stderr is a log file", setup{}, logFile, same, 0},
		{"systemd: stderr is the journal", setup{}, journal(t), same, 0},
		{"stderr is closed", setup{Closed: []int{2}}, nil, null, 0},
	} {
		for which, program := range programs {
			t.Run(tt.name+", "+which, func(t *testing.T) {
				tt.setup.Program = program
				s := start(t, tt.setup, fds{stderr: tt.stderr}) // TakeStdio waits for the client
				before, want := s.link("fd/0"), tt.want
				if tt.stderr != nil {
					before = target(t, int(tt.stderr.Fd()))
				}
				if want == same {
					want = before
				}
				if got := s.link("fd/2"); got != want {
					t.Errorf("fd 2 is %s; want %s", got, want)
				}
				copies := 0
				for _, fd := range s.fds() {
					if n, _ := strconv.Atoi(fd); n > 2 && s.link("fd/"+fd) == before {
						copies++
					}
				}
				if copies != tt.copies {
					t.Errorf("%d copies of what was fd 2; want %d", copies, tt.copies)
				}
			})
		}
	}
}

// If Go's runtime cannot begin, it writes an error to fd 2. The client must not read it.
func TestCrashBeforeMain(t *testing.T) {
	for flags, says := range map[string]string{"": "fatal error: ", released: "", asDoor: ""} {
		client, server := connect(t)
		s := launch(t, setup{Memory: 64 << 20, Program: built(t, flags)}, fds{}, client, server)
		got := s.rest()
		if (says == "") != (got == "") || !strings.Contains(got, says) {
			t.Errorf("linked with %q: the client read %q; want %q", flags, got, says)
		}
		if code := s.cmd.ProcessState.ExitCode(); code != 2 {
			t.Errorf("exit status %d; want the 2 of the runtime, or the test proves nothing", code)
		}
	}
}
