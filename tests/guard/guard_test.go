package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"sendwrap/tests/lab"
)

// The guard of a site, and sendwrap's commands.

func (s *site) socket() string { return s.file("run/guard.sock") }

// guardPort is where the guard listens for TCP.
func (s *site) guardPort() netip.AddrPort {
	return netip.AddrPortFrom(addr("127.0.0.1"), s.port+5000)
}

// startGuard starts the guard and waits until it listens.
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

// guardLine matches log lines of the running guard.
func (s *site) guardLine(text string) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`^mail\.\w+ sendwrap\[%d\]: .*%s`, s.guard.PID(), text))
}

// guardLog waits for a log line of the guard, and returns all that match.
func (s *site) guardLog(text string) []string {
	s.t.Helper()
	lines := maillog.Wait(s.guardLine(text), 1)
	if len(lines) == 0 {
		s.t.Errorf("the guard has not logged %s", text)
	}
	return lines
}

// command runs a command of sendwrap's, which must succeed, and returns its output.
func (s *site) command(args ...string) string {
	s.t.Helper()
	out, err := s.sendwrap(context.Background(), args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// sendwrap runs a command of sendwrap's, and runs it again while others keep the ledger busy.
func (s *site) sendwrap(ctx context.Context, args ...string) (out string, err error) {
	const temporary = 111 // the exit status
	args = append([]string{args[0], "-f", s.file("sendwrap.conf")}, args[1:]...)
	lab.Await(func() bool {
		var stdout, stderr strings.Builder
		cmd := exec.CommandContext(ctx, sendwrap, args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		out, err = "", cmd.Run()
		if err == nil {
			out = stdout.String()
			return true
		}
		err = fmt.Errorf("sendwrap %q: %w: %s", args, err, &stderr)
		return cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != temporary
	})
	return out, err
}

// blocked are the current blocks, network and reason.
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
