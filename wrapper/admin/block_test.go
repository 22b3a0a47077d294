package admin

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// If there are too many blocks those of an administrator stay, and those of a program do not.
func TestByHandOutlasts(t *testing.T) {
	p := inPlace(t, "block max_entries=1")
	p.says(0, "block", "192.0.2.1", "1h")
	p.says(0, "block", "-auto", "198.51.100.1", "1h")
	text, _ := p.says(0, "blocks")
	if !strings.Contains(text, "192.0.2.1") || strings.Contains(text, "198.51.100.1") {
		t.Errorf("blocks\n%s", text)
	}
}

// servingProcess is a process that serves a client until a signal ends it.
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
		s, ok := t.Enter(ledger.Arrival{
			Client: at, Network: netip.PrefixFrom(at.Addr(), 32),
			Limits: ledger.Limits{Serving: 100, Waiting: 100},
		}, process)
		if t.Serve(s); !ok {
			p.Error("no room for a session")
		}
	})
	return s
}

// wasEnded reports whether SIGTERM has ended the process. If not, another signal ends it now: the
// first signal that ends a process counts.
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

// block reports the sessions that were ended, and those that were not.
func TestBlockEndsSessions(t *testing.T) {
	const oneEnded = "1 session ended|1 session of allowed clients left alone|" +
		"3 clients in the room, which refuses them itself"
	for _, tt := range []struct {
		conf  string
		args  []string
		grace time.Duration
		ended bool
		want  string
	}{
		{"block grace=500ms", []string{"192.0.2.0/24", "1h"}, 500 * time.Millisecond, true,
			oneEnded},
		{"block grace=60s", []string{"-kill", "192.0.2.0/24", "1h"}, 0, true,
			oneEnded},
		{"block kill=off grace=60s", []string{"-kill", "192.0.2.0/24", "1h"}, 0, true,
			oneEnded},
		{"block kill=off grace=60s", []string{"192.0.2.0/24", "1h"}, 0, false,
			"live sessions go on: block has kill=off"},
		{"mode observe", []string{"192.0.2.0/24", "1h"}, 0, false,
			"live sessions go on: mode observe enforces nothing"},
		{"mode observe", []string{"-kill", "192.0.2.0/24", "1h"}, 0, true,
			oneEnded},
	} {
		log := newSyslogd(t)
		p := inPlace(t, tt.conf+"\nallow 192.0.2.77")
		p.enter(2, 3, 4*time.Minute, true, false)
		mine, allowed := p.serves("192.0.2.9"), p.serves("192.0.2.77")
		other := p.serves("203.0.113.9")
		var out, errs bytes.Buffer
		began := time.Now()
		err := block(&call{
			args: append([]string{"-f", p.conf}, tt.args...), stdout: &out, stderr: &errs,
			syslog: log.path,
		})
		// With -kill it is not to wait for the grace of 60s.
		if took := time.Since(began); err != nil || took < tt.grace || took >= time.Minute {
			t.Errorf("%s, %q: %v, after %v", tt.conf, tt.args, err, took)
		}
		want := "192.0.2.0/24: blocked for 1h\n192.0.2.0/24: " +
			strings.ReplaceAll(tt.want, "|", "\n192.0.2.0/24: ") + "\n"
		if out.String() != want || errs.Len() > 0 {
			t.Errorf("%s, %q says\n%s%s; want\n%s", tt.conf, tt.args, &out, &errs, want)
		}
		if got := mine.wasEnded(t); got != tt.ended {
			t.Errorf("%s, %q: ended %v; want %v", tt.conf, tt.args, got, tt.ended)
		}
		if allowed.wasEnded(t) || other.wasEnded(t) {
			t.Errorf("%s, %q: others were ended", tt.conf, tt.args)
		}
		lines := log.lines()
		const begin = ": BLOCK network=192.0.2.0/24 for=1h reason=administrator by=uid:"
		const end = ": END network=192.0.2.0/24 ended=1 allowed=1 reason=administrator"
		if tt.ended != (len(lines) == 2) || !strings.Contains(lines[0], begin) {
			t.Errorf("log %q", lines)
		} else if tt.ended && !strings.HasSuffix(lines[1], end) {
			t.Errorf("log %q", lines)
		}
	}
}

// An allowed network is not blocked, neither in the ledger nor in the log.
func TestBlockAllowed(t *testing.T) {
	log := newSyslogd(t)
	p := inPlace(t, "allow 192.0.2.0/24 2001:db8::1\ncount_by 24 64")
	for _, arg := range []string{"192.0.2.9", "192.0.2.0/24", "192.0.2.128/25"} {
		_, errs := p.says(100, "block", arg, "1h")
		network := map[string]string{"192.0.2.9": "192.0.2.0/24"}[arg]
		if network == "" {
			network = arg
		}
		want := fmt.Sprintf("sendwrap block: %s is not blocked: 192.0.2.0/24 is allowed at %s:3; "+
			"remove that allow line first\n", network, p.conf)
		if errs != want {
			t.Errorf("%s\n got %s\nwant %s", arg, errs, want)
		}
	}
	noStrike := "sendwrap strike: 192.0.2.9 gets no strike: 192.0.2.0/24 is allowed at " + p.conf
	if _, errs := p.says(100, "strike", "192.0.2.9"); errs != noStrike+":3\n" {
		t.Errorf("strike says %s", errs)
	}
	if text, _ := p.says(0, "blocks"); text != "no blocks\n" {
		t.Errorf("blocks says\n%s", text)
	}
	if got := log.lines(); len(got) > 0 {
		t.Errorf("log %q", got)
	}
	// A wider network is, except for the allowed one in it.
	p.write(strings.Replace(p.read(), "count_by", "on_block /bin/true\ncount_by", 1))
	text, _ := p.says(0, "block", "192.0.0.0/16", "1h")
	want := "192.0.0.0/16: blocked for 1h\n192.0.0.0/16: 0 sessions ended\n192.0.0.0/16: " +
		"on_block was not run: it holds 192.0.2.0/24, which is allowed at " + p.conf + ":3\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

// The oldest blocks end when there are more than max_entries, and block says so.
func TestBlockDropsOldest(t *testing.T) {
	p := inPlace(t, "block max_entries=2")
	for i := range 3 {
		text, _ := p.says(0, "block", fmt.Sprintf("203.0.113.%d", i), "1h")
		want := fmt.Sprintf("203.0.113.%d/32: dropped the oldest 1 block (max_entries=2)\n", i)
		if strings.Contains(text, want) != (i == 2) {
			t.Errorf("block %d says\n%s", i, text)
		}
		time.Sleep(5 * time.Millisecond)
	}
	text, _ := p.says(0, "blocks")
	if strings.Contains(text, "203.0.113.0/32") || strings.Count(text, "\n") != 3 {
		t.Errorf("blocks says\n%s", text)
	}
}
