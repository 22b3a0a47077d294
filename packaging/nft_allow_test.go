package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// The firewall lets a client that is allowed during its block through as soon as a guard or a room
// reads its configuration; until then `check` says that it does not.
func TestFirewallAllow(t *testing.T) {
	for name, tt := range map[string]struct {
		command []string
		ready   string // what it logs when it hears SIGHUP
	}{
		"guard": {[]string{"guard"}, "guard: listening on "},
		"room":  {[]string{"listen", "127.0.0.1:25"}, "START "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "mta /bin/true",
				"guard_listen unix:"+filepath.Join(t.TempDir(), "guard.sock"))
			for _, n := range []string{"198.51.100.7", "198.51.100.8", "203.0.113.0/24",
				"2001:db8:1::1"} {
				s.sendwrap("block", n, "1h")
			}
			write(t, s.conf, replace(t, read(t, s.conf), "log none", "log stderr"), 0o644)
			cmd := exec.Command(program(),
				append([]string{tt.command[0], "-f", s.conf}, tt.command[1:]...)...)
			log, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			cmd.Stderr = log
			s.Do(func() { err = cmd.Start() })
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			lab.Eventually(t, name+" is ready", func() bool { // before that SIGHUP would end it
				return strings.Contains(read(t, log.Name()), tt.ready)
			})
			said := s.sendwrap("check", "198.51.100.7")
			if !strings.Contains(said, "firewall: drops it for another ") ||
				strings.Contains(said, "ends that") {
				t.Errorf("of a blocked client check says\n%s", said)
			}
			_ = cmd.Process.Signal(unix.SIGSTOP) // a room soon looks at its files by itself
			lab.Eventually(t, name+" is stopped",
				func() bool { return lab.State(cmd.Process.Pid) == "T" })
			write(t, s.conf, read(t, s.conf)+"allow 198.51.100.7 203.0.113.9 2001:db8:1::/48\n",
				0o644)
			for client, network := range map[string]string{
				"198.51.100.7": "198.51.100.7", "203.0.113.9": "203.0.113.0/24",
			} {
				cure := fmt.Sprintf("as part of %s in the set blocked4; sendwrap unblock %[1]s "+
					"ends that\n"+
					"verdict: ALLOWED\n", network)
				if said := s.sendwrap("check", client); !strings.Contains(said, cure) {
					t.Errorf("check %s says\n%s; want\n%s", client, said, cure)
				}
			}
			_ = cmd.Process.Signal(unix.SIGCONT)
			_ = cmd.Process.Signal(unix.SIGHUP)
			lab.Eventually(t, "the firewall lets the allowed ones through", func() bool {
				return len(s.elements("ipv4")) == 1 && len(s.elements("ipv6")) == 0
			})
			if said := s.sendwrap("check", "203.0.113.9"); strings.Contains(said, "firewall") {
				t.Errorf("check says\n%s", said)
			}
			said = s.sendwrap("check", "198.51.100.8")
			if !strings.Contains(said, "firewall: drops it") {
				t.Errorf("another is no longer dropped:\n%s", said)
			}
		})
	}
}
