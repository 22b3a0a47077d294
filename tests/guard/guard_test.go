package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"

	"sendwrap/tests/lab"
)

// The guard of a site, and sendwrap's commands.

func (s *site) socket() string { return s.file("run/guard.sock") }

// guardPort is where the guard is to be reached by TCP.
func (s *site) guardPort() netip.AddrPort { return netip.AddrPortFrom(addr("127.0.0.1"), s.port+5000) }

// startGuard starts the guard and waits until it takes MTAs.
func (s *site) startGuard() {
	t := s.t
	t.Helper()
	s.began = time.Now()
	s.guard = s.run("guard.out", exec.Command(guard, "guard", "-f", s.file("sendwrap.conf")))
	lab.Eventually(t, "the guard listens", func() bool {
		if s.guard.Ended() {
			text, _ := os.ReadFile(s.file("guard.out"))
			t.Fatalf("the guard has ended: %v: %s", s.guard.ProcessState, text)
		}
		return len(maillog.Matching(s.guardLine("guard: listening"))) > 0
	})
}

// signal sends the guard a signal.
func (s *site) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.guard.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// guardLine finds lines of this guard's that match.
func (s *site) guardLine(text string) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`^mail\.\w+ sendwrap\[%d\]: .*%s`, s.guard.PID(), text))
}

// guardLog waits for such a line.
func (s *site) guardLog(text string) []string {
	s.t.Helper()
	lines := maillog.Wait(s.guardLine(text), 1)
	if len(lines) == 0 {
		s.t.Errorf("the guard has not logged %s", text)
	}
	return lines
}

// command runs one of sendwrap's.
func (s *site) command(args ...string) string {
	s.t.Helper()
	args = append([]string{args[0], "-f", s.file("sendwrap.conf")}, args[1:]...)
	out, err := exec.Command(sendwrap, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			out = append(out, exit.Stderr...)
		}
		s.t.Fatalf("sendwrap %q: %v: %s", args, err, out)
	}
	return string(out)
}

// blocked are the blocks that run, network and reason.
func (s *site) blocked() map[netip.Prefix]string {
	s.t.Helper()
	var status struct {
		Blocks []struct {
			Network netip.Prefix
			Reason  string
		}
	}
	if err := json.Unmarshal([]byte(s.command("status", "-json")), &status); err != nil {
		s.t.Fatal(err)
	}
	all := map[netip.Prefix]string{}
	for _, b := range status.Blocks {
		all[b.Network] = b.Reason
	}
	return all
}
