package room

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Ten thousand clients wait for minutes, and a known client is greeted before any of them: also
// after the configuration has been read again, and after a new program has taken over. When the
// room closes, each waiting client gets a 421.
func TestCrowd(t *testing.T) {
	const crowd, times = 10_000, 10
	needDescriptors(t, crowd+200)
	known := addr("127.1.1.1")
	s := serve(t, "greet_delay 290s stress=290s\nclient 127.1.1.1 greet_delay=50ms\n")
	s.checkGreeted(known)
	var waiting []*lab.Client
	for len(waiting) < crowd { // in parts: the kernel holds 4096 at most for a room that is busy
		waiting = append(waiting, s.connectMany(crowd/10)...)
		s.waitSessions(sessions{Waiting: len(waiting)})
	}
	greetKnown := func() {
		t.Helper()
		for range times {
			s.checkGreeted(known)
		}
	}
	greetKnown()

	// A busy loop is the measure. It lasts until it has had two seconds of a processor.
	room, loop := cpu(t, s.PID()), cpu(t, os.Getpid())
	for cpu(t, os.Getpid())-loop < 2*time.Second {
	}
	room, loop = cpu(t, s.PID())-room, cpu(t, os.Getpid())-loop
	if loop <= 0 || room > loop/2 {
		t.Errorf("with %d clients waiting the room used %v, and a busy loop %v", crowd, room, loop)
	}

	s.signal(unix.SIGHUP)
	s.waitLogged("configuration reloaded", 1)
	greetKnown()
	s.takeOver()
	s.waitLogged(fmt.Sprintf("has taken over %d clients", crowd), 1)
	greetKnown()
	s.waitLogged("KNOWN client=[127.1.1.1]:", 3*times)
	s.waitSessions(sessions{Waiting: crowd})

	s.signal(unix.SIGTERM)
	wrong := 0
	for _, c := range waiting {
		if got := reply(c); !strings.HasPrefix(got, "421 4.3.2 ") {
			if wrong++; wrong < 5 {
				t.Errorf("when the room closes, a waiting client gets %q", got)
			}
		}
	}
	s.waitEnd()
	s.waitLogged("BUSY client=", crowd)
	if st := s.status(); st.Sessions != (sessions{}) || st.Verdicts["BUSY"] != crowd {
		t.Errorf("afterwards: %+v", st)
	}
}

// cpu is the CPU time that a process has used so far.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	used, err := lab.CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// needDescriptors skips the test if a process may not open that many descriptors.
func needDescriptors(t *testing.T, descriptors uint64) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Max < descriptors {
		lab.Need(t, fmt.Sprintf("RLIMIT_NOFILE is %d; want %d", limit.Max, descriptors))
	}
}
