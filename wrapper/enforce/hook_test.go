package enforce

import (
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// The arguments and the environment of on_block. The seconds are those left, and never 0 for a
// block in force.
func TestHookArguments(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`d=${0%/*}/runs; printf '%s|' "$@" >>$d
env | grep SENDWRAP_ | sort | tr '\n' '|' >>$d; echo >>$d`)
	e := p.enforcer()
	e.CarryOut(p.block("198.51.100.0/24", 90*time.Minute))
	if got := p.runs(); len(got) != 1 {
		t.Fatalf("on_block has run %d times for one block; log %q", len(got), p.said())
	}
	short := 700 * time.Millisecond
	for ; len(p.runs()) == 1; short *= 2 { // until it is not over when on_block gets its slot
		if short > time.Hour {
			t.Fatalf("on_block does not run for a second block; log %q", p.said())
		}
		e.CarryOut(p.block("2001:db8:9:9::/64", short))
	}
	p.unblock("198.51.100.0/24")
	end := Block{Network: netip.MustParsePrefix("198.51.100.0/24"), Reason: "unblock"}
	if err := e.RunHook(end); err != nil {
		t.Error(err)
	}
	lines := slices.DeleteFunc(p.runs(), func(line string) bool {
		// The second block may have ended while on_block ran.
		return strings.HasPrefix(line, "first|2001:db8:9:9::/64|ipv6|0|")
	})
	if got := p.said(); len(got) != 0 || len(lines) != 3 {
		t.Fatalf("log %q, runs %q", got, lines)
	}
	for i, want := range []struct {
		network, family, reason string
		least, most             int // seconds
	}{
		{"198.51.100.0/24", "ipv4", "a_test", 5100, 5400},
		{"2001:db8:9:9::/64", "ipv6", "a_test", 1, 1 + int(short/time.Second)},
		{"198.51.100.0/24", "ipv4", "unblock", 0, 0},
	} {
		var seconds int
		if words := strings.Split(lines[i], "|"); len(words) > 3 {
			seconds, _ = strconv.Atoi(words[3])
		}
		text := fmt.Sprintf("first|%s|%s|%d|%s|SENDWRAP_FAMILY=%[2]s|SENDWRAP_NETWORK=%[1]s|"+
			"SENDWRAP_REASON=%[4]s|SENDWRAP_SECONDS=%[3]d|\n",
			want.network, want.family, seconds, want.reason)
		if lines[i] != text || seconds < want.least || seconds > want.most {
			t.Errorf("got\n%s\nwant, with %d to %d s,\n%s", lines[i], want.least, want.most, text)
		}
	}
}

// on_block does not wait for the grace.
func TestHookAtOnce(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`touch ${0%/*}/ran`)
	p.configure("block grace=60s\non_block " + p.file("hook")) // its longest
	s := p.serve("203.0.113.9")
	cmd := p.elsewhere(p.block("203.0.113.9/32", time.Hour))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ran := func() bool { _, err := os.Stat(p.file("ran")); return err == nil }
	lab.Eventually(p, "one or the other happens", func() bool { return ran() || !s.runs() })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !ran() {
		t.Error("the grace is over before on_block runs")
	}
	if !s.leftAlone() {
		t.Error("the session was ended within the grace")
	}
}

// The grace does not wait for on_block either, but CarryOut waits for both.
func TestHookLate(t *testing.T) {
	p := inPlace(t, "block grace=10ms")
	p.hook(`sleep 0.1; touch ${0%/*}/ran`)
	release := p.holdSlots()
	s, b := p.serve("203.0.113.9"), p.block("203.0.113.9/32", time.Hour)
	e, done := p.enforcer(), make(chan Outcome, 1)
	e.patience = never
	go func() { done <- e.CarryOut(b) }()
	s.ends() // while on_block waits for a slot
	if len(done) > 0 {
		t.Error("CarryOut returns before on_block runs")
	}
	release()
	if o := <-done; !o.HookRan || o.Ended != 1 {
		t.Errorf("outcome %+v", o)
	}
	if _, err := os.Stat(p.file("ran")); err != nil {
		t.Errorf("CarryOut returns before on_block has ended: %v", err)
	}
}

// Networks for which on_block does not run, and why. This is about the machine's addresses, so it
// runs in a network namespace of its own.
func TestHookExempt(t *testing.T) {
	lab.NeedRoot(t)
	lab.NeedProgram(t, "ip")
	const inside = "SENDWRAP_ENFORCE_INSIDE"
	if os.Getenv(inside) == "" {
		cmd := osexec.Command("/proc/self/exe", "-test.run=^TestHookExempt$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=yes")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestHookExempt") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	err := lab.IP("link set lo up", "addr add 198.51.100.25/24 dev lo",
		"addr add 2001:db8:25::25/64 dev lo nodad")
	if err != nil {
		t.Fatal(err)
	}
	testHookExempt(t)
}

func testHookExempt(t *testing.T) {
	const allow = "allow 192.0.2.77 203.0.113.0/25 2001:db8:7::1\ndeny 203.0.113.8/29\n"
	tests := []struct{ conf, network, want string }{
		{"", "192.0.2.9/32", ""},
		{"", "2001:db8:9:9::/64", ""},
		{"", "127.0.0.1/32", "it is loopback"},
		{"", "127.0.0.0/8", "it is loopback"},
		{"", "126.0.0.0/7", "it is loopback"},
		{"", "::/64", "it is loopback"},
		{"", "::1/128", "it is loopback"},
		{"", "::/16", "it is loopback"},
		{"", "198.51.100.0/24", "it holds 198.51.100.25, an address of this machine"},
		{"", "198.51.100.25/32", "it holds 198.51.100.25, an address of this machine"},
		{"", "198.51.100.24/32", ""},
		{"", "2001:db8:25::/48", "it holds 2001:db8:25::25, an address of this machine"},
		{"", "2001:db8:25:1::/64", ""},
		{allow, "192.0.2.0/24", "it holds 192.0.2.77/32, which is allowed at CONF:3"},
		{allow, "192.0.2.76/32", ""},
		{allow, "203.0.113.0/24", "it holds 203.0.113.0/25, which is allowed at CONF:3"},
		{allow, "203.0.113.0/25", "203.0.113.0/25 is allowed at CONF:3"},
		{allow, "203.0.113.0/26", "203.0.113.0/25 is allowed at CONF:3"},
		{allow, "203.0.113.9/32", ""}, // denied, within what is allowed
		{allow, "2001:db8:7::/64", "it holds 2001:db8:7::1/128, which is allowed at CONF:3"},
		{"mode observe", "192.0.2.9/32", "mode observe enforces nothing"},
		{"off", "192.0.2.9/32", "on_block is off"},
	}
	for _, tt := range tests {
		p := inPlace(t, strings.TrimPrefix(tt.conf, "off"))
		if p.hook(`echo "$@" >${0%/*}/runs`); tt.conf == "off" {
			p.config.OnBlock = nil
		}
		o := p.enforcer().CarryOut(p.block(tt.network, time.Hour))
		if want := strings.ReplaceAll(tt.want, "CONF", p.file("conf")); o.OnBlock != want {
			t.Errorf("%q, %s: %q; want %q", tt.conf, tt.network, o.OnBlock, want)
		}
		if ran := p.content("runs") != ""; ran != (tt.want == "") {
			t.Errorf("%q, %s: on_block ran: %v", tt.conf, tt.network, ran)
		}
		// It runs for the end nevertheless: a firewall may have the network from another
		// configuration. But it never has loopback.
		_ = os.Remove(p.file("runs"))
		end := Block{Network: netip.MustParsePrefix(tt.network)}
		if err := p.enforcer().RunHook(end); err != nil {
			t.Error(err)
		}
		loopback := strings.HasPrefix(tt.network, "127.") || strings.HasPrefix(tt.network, "::")
		if ran := p.content("runs") != ""; ran != (tt.conf != "off" && !loopback) {
			t.Errorf("%q, %s: on_block ran for the end: %v", tt.conf, tt.network, ran)
		}
	}
}

// If on_block fails the log has one line about it, and no session lives longer for it.
func TestHookFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		hook func(p *place)
		want string
	}{
		{"fails", func(p *place) { p.hook("echo 'no such \"table\"' >&2; echo more; exit 3") },
			`/hook: exit status 3: no such \\"table\\"`},
		{"is missing", func(p *place) { p.config.OnBlock = []string{"/nowhere/at/all"} },
			`/nowhere/at/all: no such file or directory`},
		{"is open", func(p *place) { p.hook("exit 0"); os.Chmod(p.file("hook"), 0o757) },
			`/hook: mode 0757 lets others write it; chmod go-w it`},
		{"dies", func(p *place) { p.hook("kill -9 $$") }, `/hook: signal 9`},
		{"floods", func(p *place) { p.hook("yes | head -c 3000000; exit 1") },
			`/hook: exit status 1: y`},
	} {
		p := inPlace(t, "block grace=0s")
		tt.hook(p)
		s := p.serve("203.0.113.9")
		o := p.enforcer().CarryOut(p.block("203.0.113.9/32", time.Hour))
		s.ends()
		want := regexp.MustCompile(`^ONBLOCK network=203\.0\.113\.9/32 ` +
			`after=\d+(\.\d\d)?s error=".*` + tt.want + `"$`)
		got := p.said()
		if len(got) != 2 || !slices.ContainsFunc(got, want.MatchString) || len(o.Failed) != 1 {
			t.Errorf("%s: log %q, failed %v; want a line %v", tt.name, got, o.Failed, want)
		}
	}
}
