package admin

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// syslogd keeps the lines that it gets.
type syslogd struct {
	*testing.T
	fd   int
	path string
}

func newSyslogd(t *testing.T) *syslogd {
	t.Helper()
	s := &syslogd{T: t, path: filepath.Join(t.TempDir(), "log")}
	var err error
	const kind = unix.SOCK_DGRAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if s.fd, err = unix.Socket(unix.AF_UNIX, kind, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s.fd) })
	if err := unix.Bind(s.fd, &unix.SockaddrUnix{Name: s.path}); err != nil {
		t.Fatal(err)
	}
	return s
}

// lines returns the lines since the last call.
func (s *syslogd) lines() (all []string) {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(s.fd, buf)
		if err != nil {
			return all
		}
		all = append(all, string(buf[:n]))
	}
}

// does runs a command whose log lines go to a syslogd.
func (p *place) does(s *syslogd, run func(*call) error, args ...string) (stderr string) {
	p.Helper()
	var out, err bytes.Buffer
	c := &call{
		args: append([]string{"-f", p.conf}, args...), stdout: &out, stderr: &err, syslog: s.path,
	}
	if err := run(c); err != nil {
		p.Errorf("%q: %v", args, err)
	}
	return err.String()
}

// The mail log has a line for each change by hand, as for what clients do.
func TestByHandIsLogged(t *testing.T) {
	log := newSyslogd(t)
	p := inPlace(t, "block strikes=2 for=1h\nallow 203.0.113.0/24")
	tests := []struct {
		run  func(*call) error
		args []string
		want string // "" = nothing
	}{
		{block, []string{"192.0.2.0/24", "90m"},
			"BLOCK network=192.0.2.0/24 for=1h30m reason=administrator"},
		{block, []string{"-kill", "198.51.100.0/24", "10s"},
			"BLOCK network=198.51.100.0/24 for=10s reason=administrator"},
		{unblock, []string{"192.0.2.0/24"}, "UNBLOCK network=192.0.2.0/24 freed=1"},
		{unblock, []string{"192.0.2.0/24"}, ""},
		{strike, []string{"2001:db8::1"}, "STRIKE client=[2001:db8::1] network=2001:db8::/64 " +
			"strikes=1/2 reason=administrator"},
		{strike, []string{"2001:db8::2", "bad\nrecipients, and many of them too"},
			"STRIKE client=[2001:db8::2] network=2001:db8::/64 strikes=2/2 left=1h " +
				"reason=bad_recipients,_and_many_of_them"},
	}
	for _, tt := range tests {
		p.does(log, tt.run, tt.args...)
		var want []string
		if tt.want != "" {
			line := fmt.Sprintf("<22>sendwrap[%d]: %s by=uid:%d", os.Getpid(), tt.want, os.Getuid())
			want = []string{line}
		}
		if got := log.lines(); !slices.Equal(got, want) {
			t.Errorf("%q\n got %q\nwant %q", tt.args, got, want)
		}
	}
	// status shows the same reason.
	text, _ := p.says(0, "status")
	if !strings.Contains(text, " bad_recipients,_and_many_of_them\n") {
		t.Errorf("status\n%s", text)
	}
}

// With log stderr or none nothing is logged, and a missing syslog stops no command.
func TestByHandIsNotLogged(t *testing.T) {
	log := newSyslogd(t)
	for _, to := range []string{"stderr", "none"} {
		p := inPlace(t, "log "+to)
		if got := p.does(log, block, "192.0.2.0/24", "1h"); got != "" {
			t.Errorf("log %s: stderr %q", to, got)
		}
		if got := log.lines(); got != nil {
			t.Errorf("log %s: syslog got %q", to, got)
		}
	}
	p := inPlace(t, "")
	log.path += ".away"
	if got := p.does(log, block, "192.0.2.0/24", "1h"); got != "" {
		t.Errorf("stderr %q", got)
	}
	if text, _ := p.says(0, "status"); !strings.Contains(text, "192.0.2.0/24") {
		t.Errorf("not blocked\n%s", text)
	}
}
