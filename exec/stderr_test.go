package exec

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Fd 2 after SetStderr and Replace. tests/scripts test Spawn, and the log.
func TestStderr(t *testing.T) {
	const (
		null   = "/dev/null"
		same   = "" // unchanged
		syslog = "the relay"
	)
	logFile := openFile(t, t.TempDir()+"/log")
	program := built(t, released) // a static one needs no descriptor for libraries
	for _, tt := range []struct {
		name     string
		stderr   Stderr
		fds      fds
		nofile   []uint64
		want     string
		failures int
	}{
		{"the client's, by default", StderrAuto, fds{}, nil, syslog, 0},
		{"another client's", StderrAuto, fds{stderr: otherClient(t)}, nil, syslog, 0},
		{"a log", StderrAuto, fds{stderr: logFile}, nil, same, 2},
		{"the journal", StderrAuto, fds{stderr: journal(t)}, nil, same, 0},
		{"the client's, as it is", StderrAsIs, fds{}, nil, same, 2},
		{"a log, as it is", StderrAsIs, fds{stderr: logFile}, nil, same, 0},
		{"the client's, for syslog", StderrSyslog, fds{}, nil, syslog, 2},
		{"a log, for syslog", StderrSyslog, fds{stderr: logFile}, nil, syslog, 2},
		{"the client's, to /dev/null", StderrNull, fds{}, nil, null, 2},
		{"a log, to /dev/null", StderrNull, fds{stderr: logFile}, nil, null, 2},
		{"one descriptor is free", StderrAuto, fds{}, []uint64{4, 4}, null, 0},
		{"none is free beside a log", StderrSyslog, fds{stderr: logFile}, []uint64{4, 4}, same, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := relays(program)
			s := start(t, setup{
				SetStderr: true, Stderr: tt.stderr, Failures: tt.failures, Nofile: tt.nofile,
				Program: program,
			}, tt.fds)
			client := s.link("fd/0")
			old := client
			if tt.fds.stderr != nil {
				old = target(t, int(tt.fds.stderr.Fd()))
			}
			s.becomeMTA()
			got := s.link("fd/2")
			if got != old && got != null {
				if !strings.HasPrefix(got, "socket:") {
					t.Errorf("fd 2 is %s", got)
				}
				flags, _ := strconv.ParseInt(s.field("fdinfo/2", "flags:"), 8, 64)
				if flags&unix.O_NONBLOCK == 0 || flags&unix.O_CLOEXEC != 0 {
					t.Errorf("the flags of fd 2 are %#o; want O_NONBLOCK among them, without "+
						"O_CLOEXEC", flags)
				}
				got = syslog
			} else if got == old {
				got = same
			}
			if got != tt.want {
				t.Errorf("fd 2 is %s; want %s", got, tt.want)
			}
			standard := []string{"0", "1", "2"}
			if fds := s.fds(); !slices.Equal(fds, standard) {
				t.Errorf("the MTA has the descriptors %v", fds)
			}
			if children := s.read("task/" + strconv.Itoa(s.pid) + "/children"); children != "" {
				t.Errorf("the MTA has the children %s", children)
			}
			started := relays(program)
			maps.DeleteFunc(started, func(pid int, _ bool) bool { return before[pid] })
			if want := tt.want == syslog; len(started) > 1 || want != (len(started) == 1) {
				t.Errorf("%d relays were started", len(started))
			}
			for pid := range started {
				if fds := (&session{t: t, pid: pid}).fds(); !slices.Equal(fds, standard[:2]) {
					t.Errorf("the relay has the descriptors %v", fds)
				}
			}
			must(s.client.(*net.TCPConn).CloseWrite())
			s.rest()
			for pid := range started {
				lab.Eventually(t, "the relay ends with the MTA", func() bool {
					return !lab.Running(pid)
				})
			}
		})
	}
}

// The relay of the released program has one thread, and no memory for Go's runtime. Every signal
// reaches it.
func TestRelayIsSmall(t *testing.T) {
	for flags, most := range map[string]int{released: 1, asDoor: 1, "": 20} {
		program := built(t, flags)
		before := relays(program)
		s := start(t, setup{SetStderr: true, Program: program, Block: []int{1, 10, 15, 64}}, fds{})
		s.becomeMTA()
		for pid := range relays(program) {
			if before[pid] {
				continue
			}
			relay := &session{t: t, pid: pid}
			threads, _ := strconv.Atoi(relay.field("status", "Threads:"))
			memory, _, _ := strings.Cut(relay.field("status", "RssAnon:"), " ")
			kB, _ := strconv.Atoi(memory)
			if threads > most || most == 1 && kB > 128 {
				t.Errorf("linked with %q: the relay has %d threads and %d kB", flags, threads, kB)
			}
			t.Logf("linked with %q: %d threads, %d kB", flags, threads, kB)
			lab.Eventually(t, "no signal is blocked", func() bool {
				return relay.field("status", "SigBlk:") == "0000000000000000"
			})
			if got := relay.link("fd/0"); !strings.HasPrefix(got, "socket:") {
				t.Errorf("the relay reads from %s", got)
			}
			before[0] = true
		}
		if !before[0] {
			t.Errorf("linked with %q: no relay runs", flags)
		}
	}
}

// relays are the running relays of the program.
func relays(program string) map[int]bool {
	found := map[int]bool{}
	for _, pid := range lab.Processes(func(pid int) bool {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return exe == program && lab.Cmdline(pid)[0] == RelayName
	}) {
		found[pid] = true
	}
	return found
}

func TestStderrError(t *testing.T) {
	var limit unix.Rlimit
	must(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}))
	defer func() { must(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) }()
	for _, to := range []Stderr{StderrSyslog, StderrNull} {
		s := new(Stdio)
		if err := s.SetStderr(to); !errors.Is(err, unix.EMFILE) || s.mtaFD(0) != 2 {
			t.Errorf("%v, and fd %d; want %v and 2", err, s.mtaFD(0), unix.EMFILE)
		}
		s = &Stdio{StderrIsClient: true}
		if err := s.SetStderr(to); !errors.Is(err, unix.EMFILE) || s.mtaFD(0) != 2 {
			t.Errorf("%v, and fd %d for the client's; want %v and 2", err, s.mtaFD(0), unix.EMFILE)
		}
	}
}
