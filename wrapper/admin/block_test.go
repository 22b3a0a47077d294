package admin

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// syslogd is one that keeps what it is told.
type syslogd struct {
	*testing.T
	fd   int
	path string
}

func newSyslogd(t *testing.T) *syslogd {
	t.Helper()
	s := &syslogd{T: t, path: filepath.Join(t.TempDir(), "log")}
	var err error
	if s.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s.fd) })
	if err := unix.Bind(s.fd, &unix.SockaddrUnix{Name: s.path}); err != nil {
		t.Fatal(err)
	}
	return s
}

// told are the lines since the last call.
func (s *syslogd) told() (all []string) {
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
	c := &call{args: append([]string{"-f", p.conf}, args...), stdout: &out, stderr: &err, syslog: s.path}
	if err := run(c); err != nil {
		p.Errorf("%q: %v", args, err)
	}
	return err.String()
}

// What is done by hand stands in the mail log, one line each, like what clients have done.
func TestByHandIsLogged(t *testing.T) {
	log := newSyslogd(t)
	p := inPlace(t, "block strikes=2 for=1h\nallow 203.0.113.0/24")
	tests := []struct {
		run  func(*call) error
		args []string
		want string // "" = nothing
	}{
		{block, []string{"192.0.2.0/24", "90m"}, "BLOCK network=192.0.2.0/24 for=1h30m reason=administrator"},
		{block, []string{"-kill", "198.51.100.0/24", "10s"}, "BLOCK network=198.51.100.0/24 for=10s reason=administrator"},
		{unblock, []string{"192.0.2.0/24"}, "UNBLOCK network=192.0.2.0/24 freed=1"},
		{unblock, []string{"192.0.2.0/24"}, ""},
		{strike, []string{"2001:db8::1"}, "STRIKE client=[2001:db8::1] network=2001:db8::/64 strikes=1/2 reason=administrator"},
		{strike, []string{"2001:db8::2", "bad\nrecipients, and many of them too"},
			"STRIKE client=[2001:db8::2] network=2001:db8::/64 strikes=2/2 left=1h reason=bad_recipients,_and_many_of_them"},
		{strike, []string{"203.0.113.1"}, ""},
	}
	for _, tt := range tests {
		p.does(log, tt.run, tt.args...)
		var want []string
		if tt.want != "" {
			want = []string{fmt.Sprintf("<22>sendwrap[%d]: %s by=uid:%d", os.Getpid(), tt.want, os.Getuid())}
		}
		if got := log.told(); !slices.Equal(got, want) {
			t.Errorf("%q\n got %q\nwant %q", tt.args, got, want)
		}
	}
	// The reason is the one that is later said of who is blocked for it.
	if text, _ := p.says(0, "status"); !strings.Contains(text, " bad_recipients,_and_many_of_them\n") {
		t.Errorf("status\n%s", text)
	}
}

// servingProcess is one that serves a client, until somebody ends it.
type servingProcess struct {
	cmd  *exec.Cmd
	over chan string // has said how, then
}

func (p *place) serves(client string) servingProcess {
	p.Helper()
	s := servingProcess{exec.Command("/bin/sleep", "600"), make(chan string, 1)}
	if err := s.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		s.over <- s.cmd.ProcessState.String()
	}()
	p.Cleanup(func() { _ = s.cmd.Process.Kill() })
	process, err := ledger.Identify(s.cmd.Process.Pid)
	if err != nil {
		p.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(client), 4242)
	p.do(func(t *ledger.Tx) {
		s, ok := t.Enter(ledger.Arrival{Client: at, Network: netip.PrefixFrom(at.Addr(), 32), Limits: ledger.Limits{Serving: 100, Waiting: 100}}, process)
		if t.Serve(s); !ok {
			p.Error("no room for a session")
		}
	})
	return s
}

// wasEnded says whether somebody has ended the process by SIGTERM. If nobody has it ends now, by another signal: a
// process ends with the first of those that end it.
func (s servingProcess) wasEnded(t *testing.T) bool {
	t.Helper()
	_ = s.cmd.Process.Signal(unix.SIGINT)
	switch how := <-s.over; how {
	case "signal: terminated":
		return true
	case "signal: interrupt":
	default:
		t.Errorf("a process has ended with %s", how)
	}
	return false
}

// What block says of the sessions there, and of who is left alone.
func TestBlockEndsSessions(t *testing.T) {
	for _, tt := range []struct {
		conf  string
		args  []string
		grace time.Duration
		ended bool
		want  string
	}{
		{"block grace=500ms", []string{"192.0.2.0/24", "1h"}, 500 * time.Millisecond, true,
			"1 session ended|1 session of allowed clients left alone|3 clients in a room left to it"},
		{"block grace=60s", []string{"-kill", "192.0.2.0/24", "1h"}, 0, true,
			"1 session ended|1 session of allowed clients left alone|3 clients in a room left to it"},
		{"block kill=off grace=60s", []string{"-kill", "192.0.2.0/24", "1h"}, 0, true,
			"1 session ended|1 session of allowed clients left alone|3 clients in a room left to it"},
		{"block kill=off grace=60s", []string{"192.0.2.0/24", "1h"}, 0, false, "live sessions go on: block has kill=off"},
		{"mode observe", []string{"192.0.2.0/24", "1h"}, 0, false, "live sessions go on: mode observe enforces nothing"},
		{"mode observe", []string{"-kill", "192.0.2.0/24", "1h"}, 0, true,
			"1 session ended|1 session of allowed clients left alone|3 clients in a room left to it"},
	} {
		log := newSyslogd(t)
		p := inPlace(t, tt.conf+"\nallow 192.0.2.77")
		p.enter(2, 3, 4*time.Minute, true, false)
		mine, allowed, other := p.serves("192.0.2.9"), p.serves("192.0.2.77"), p.serves("203.0.113.9")
		var out, errs bytes.Buffer
		began := time.Now()
		err := block(&call{args: append([]string{"-f", p.conf}, tt.args...), stdout: &out, stderr: &errs, syslog: log.path})
		// With -kill it is not to wait for the grace of 60s.
		if took := time.Since(began); err != nil || took < tt.grace || took >= time.Minute {
			t.Errorf("%s, %q: %v, after %v", tt.conf, tt.args, err, took)
		}
		want := "192.0.2.0/24: blocked for 1h\n192.0.2.0/24: " + strings.ReplaceAll(tt.want, "|", "\n192.0.2.0/24: ") + "\n"
		if out.String() != want || errs.Len() > 0 {
			t.Errorf("%s, %q says\n%s%s; want\n%s", tt.conf, tt.args, &out, &errs, want)
		}
		if got := mine.wasEnded(t); got != tt.ended {
			t.Errorf("%s, %q: ended %v; want %v", tt.conf, tt.args, got, tt.ended)
		}
		if allowed.wasEnded(t) || other.wasEnded(t) {
			t.Errorf("%s, %q: others were ended", tt.conf, tt.args)
		}
		lines := log.told()
		if tt.ended != (len(lines) == 2) || !strings.Contains(lines[0], ": BLOCK network=192.0.2.0/24 for=1h reason=administrator by=uid:") {
			t.Errorf("log %q", lines)
		} else if tt.ended && !strings.HasSuffix(lines[1], ": END network=192.0.2.0/24 ended=1 allowed=1 reason=administrator") {
			t.Errorf("log %q", lines)
		}
	}
}

// What is allowed is not blocked, and no line in the ledger or the log says otherwise.
func TestBlockAllowed(t *testing.T) {
	log := newSyslogd(t)
	p := inPlace(t, "allow 192.0.2.0/24 2001:db8::1\ncount_by 24 64")
	for _, arg := range []string{"192.0.2.9", "192.0.2.0/24", "192.0.2.128/25"} {
		_, errs := p.says(100, "block", arg, "1h")
		network := map[string]string{"192.0.2.9": "192.0.2.0/24"}[arg]
		if network == "" {
			network = arg
		}
		if want := fmt.Sprintf("sendwrap block: %s is not blocked: 192.0.2.0/24 is allowed at %s:3; take it from there first\n", network, p.conf); errs != want {
			t.Errorf("%s\n got %s\nwant %s", arg, errs, want)
		}
	}
	if text, _ := p.says(0, "strike", "192.0.2.9"); text != fmt.Sprintf("192.0.2.9: 192.0.2.0/24 is allowed at %s:3, not struck\n", p.conf) {
		t.Errorf("strike says %s", text)
	}
	if text, _ := p.says(0, "blocks"); text != "no blocks\n" {
		t.Errorf("blocks says\n%s", text)
	}
	if got := log.told(); len(got) > 0 {
		t.Errorf("log %q", got)
	}
	// A wider one is, but for what is allowed in it.
	p.write(strings.Replace(p.read(), "count_by", "on_block /bin/true\ncount_by", 1))
	text, _ := p.says(0, "block", "192.0.0.0/16", "1h")
	want := fmt.Sprintf("192.0.0.0/16: blocked for 1h\n192.0.0.0/16: 0 sessions ended\n192.0.0.0/16: on_block is not run: it holds 192.0.2.0/24, which is allowed at %s:3\n", p.conf)
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

// on_block is told of blocks and of their end, and what goes wrong with it is said.
func TestOnBlockByHand(t *testing.T) {
	dir := t.TempDir()
	hook, told := filepath.Join(dir, "hook"), filepath.Join(dir, "told")
	script := func(does string) {
		if err := os.WriteFile(hook, []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script(`echo "$@" >>` + told)
	p := inPlace(t, "block strikes=2 for=1h\non_block "+hook+" arg")
	lines := func() []string {
		text, _ := os.ReadFile(told)
		_ = os.Remove(told)
		all := strings.Split(strings.TrimSpace(string(text)), "\n")
		slices.Sort(all)
		return all
	}
	for _, tt := range []struct {
		args, says, told []string
	}{
		{[]string{"block", "203.0.113.0/24", "90m", "from the news"}, []string{"203.0.113.0/24: blocked for 1h30m", "203.0.113.0/24: 0 sessions ended",
			"203.0.113.0/24: on_block: " + hook + " has been told"}, []string{"arg 203.0.113.0/24 ipv4 5400 from_the_news"}},
		{[]string{"block", "127.0.0.1", "1h"}, []string{"127.0.0.1/32: blocked for 1h", "127.0.0.1/32: 0 sessions ended",
			"127.0.0.1/32: on_block is not run: it is loopback"}, []string{""}},
		{[]string{"strike", "203.0.113.9"}, []string{"203.0.113.9/32: strike 1 of 2"}, []string{""}},
		{[]string{"strike", "203.0.113.9", "bad recipients"}, []string{"203.0.113.9/32: strike 2 of 2, blocked for 1h", "203.0.113.9/32: 0 sessions ended",
			"203.0.113.9/32: on_block: " + hook + " has been told"}, []string{"arg 203.0.113.9/32 ipv4 3600 bad_recipients"}},
		{[]string{"unblock", "203.0.113.0/24"}, []string{"203.0.113.0/24: unblocked", "203.0.113.9/32: unblocked", "on_block: " + hook + " has been told of 2 networks"},
			[]string{"arg 203.0.113.0/24 ipv4 0 unblock", "arg 203.0.113.9/32 ipv4 0 unblock"}},
		{[]string{"unblock", "203.0.113.0/24"}, []string{"203.0.113.0/24: was not blocked", "on_block: " + hook + " has been told of 1 network"},
			[]string{"arg 203.0.113.0/24 ipv4 0 unblock"}},
	} {
		text, errs := p.says(0, tt.args...)
		said := strings.Split(strings.TrimSpace(text), "\n")
		if tt.args[0] == "unblock" {
			slices.Sort(said) // as the ledger has them
		}
		if !slices.Equal(said, tt.says) || errs != "" {
			t.Errorf("%q says\n%s%s; want\n%s", tt.args, text, errs, strings.Join(tt.says, "\n"))
		}
		if got := lines(); !slices.Equal(got, tt.told) {
			t.Errorf("%q: told %q; want %q", tt.args, got, tt.told)
		}
	}

	script("echo no such table >&2; exit 1")
	for _, args := range [][]string{{"block", "203.0.113.1", "1h"}, {"unblock", "203.0.113.1"}} {
		text, errs := p.says(111, args...)
		if want := fmt.Sprintf("sendwrap %s: on_block: %s: exit status 1: no such table\n", args[0], hook); errs != want || !strings.Contains(text, "blocked") || strings.Contains(text, "told") {
			t.Errorf("%q says\n%s%s; want\n%s", args, text, errs, want)
		}
	}
}

// The oldest blocks go when there are more than there may be, and block says so.
func TestBlockDropsOldest(t *testing.T) {
	p := inPlace(t, "block max_entries=2")
	for i := range 3 {
		text, _ := p.says(0, "block", fmt.Sprintf("203.0.113.%d", i), "1h")
		says := strings.Contains(text, fmt.Sprintf("203.0.113.%d/32: for it the oldest 1 block had to go: max_entries is 2\n", i))
		if says != (i == 2) {
			t.Errorf("block %d says\n%s", i, text)
		}
		time.Sleep(5 * time.Millisecond)
	}
	text, _ := p.says(0, "blocks")
	if strings.Contains(text, "203.0.113.0/32") || strings.Count(text, "\n") != 3 {
		t.Errorf("blocks says\n%s", text)
	}
}

// Each command says how it is used.
func TestHelp(t *testing.T) {
	for _, cmd := range commands() {
		if cmd.run == nil {
			continue
		}
		var out, errs bytes.Buffer
		if code := Run([]string{cmd.name, "-h"}, &out, &errs); code != 0 || errs.Len() > 0 ||
			!strings.HasPrefix(out.String(), "usage: sendwrap "+cmd.name+" ") && cmd.name != "version" {
			t.Errorf("%s -h: exit code %d\n%s%s", cmd.name, code, &out, &errs)
		}
	}
}

// Whoever has no syslog is not told on stderr, and a syslog that is away keeps nothing from being done.
func TestByHandIsNotLogged(t *testing.T) {
	log := newSyslogd(t)
	for _, to := range []string{"stderr", "none"} {
		p := inPlace(t, "log "+to)
		if got := p.does(log, block, "192.0.2.0/24", "1h"); got != "" {
			t.Errorf("log %s: stderr %q", to, got)
		}
		if got := log.told(); got != nil {
			t.Errorf("log %s: syslog is told %q", to, got)
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
