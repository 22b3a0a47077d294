package guard

import (
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
)

// The guard of a site, and sendwrap's commands.

func (s *site) socket() string { return s.file("run/guard.sock") }

// guardPort is where the guard is to be reached by TCP.
func (s *site) guardPort() netip.AddrPort { return netip.AddrPortFrom(addr("127.0.0.1"), s.port+5000) }

// dialGuard connects to the guard as an MTA does.
func (s *site) dialGuard() (net.Conn, error) {
	if s.tcp {
		return net.Dial("tcp", s.guardPort().String())
	}
	return net.Dial("unix", s.socket())
}

// startGuard starts the guard and waits until it takes MTAs.
func (s *site) startGuard() {
	t := s.t
	t.Helper()
	var cmd *exec.Cmd
	cmd, s.gone = s.run("guard.out", nil, guard, "guard", "-f", s.file("sendwrap.conf"))
	s.guard = cmd
	eventually(t, "the guard listens", func() bool {
		select {
		case <-s.gone:
			text, _ := os.ReadFile(s.file("guard.out"))
			t.Fatalf("the guard has ended: %v: %s", cmd.ProcessState, text)
		default:
		}
		c, err := s.dialGuard()
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// signal sends the guard a signal.
func (s *site) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.guard.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// killGuard ends the guard as nobody should.
func (s *site) killGuard() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	<-s.gone
}

// guardLog waits for a line of this guard's that matches.
func (s *site) guardLog(text string) []string {
	s.t.Helper()
	l, err := maillog()
	if err != nil {
		s.t.Fatal(err)
	}
	lines := l.wait(regexp.MustCompile(`^sendwrap\[`+strconv.Itoa(s.guard.Process.Pid)+`\]: .*`+text), 1)
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
