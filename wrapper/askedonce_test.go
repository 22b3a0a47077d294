package wrapper

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// An address is asked about once, and the next client from it is decided about at once.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	for i := range 5 {
		s, _, served := d.meet(t, nil)
		if s.Verdict != decide.DNSBL || served {
			t.Fatalf("client %d: %v", i, s.Verdict)
		}
	}
	if got := n.Asked(reversed + ".secret.bad.example"); got != 1 {
		t.Errorf("asked %d times; want once", got)
	}
	if got := n.Asked("2.0.0.127.secret.bad.example"); got != 1 {
		t.Errorf("tested %d times; want once", got)
	}
	other := dnsDoor(t, "", n, endless, map[string]int{"bad": 4}) // another ledger
	if s, _, _ := other.meet(t, nil); s.Verdict != decide.DNSBL {
		t.Fatal(s.Verdict)
	}
	if got := n.Asked(reversed + ".secret.bad.example"); got != 2 {
		t.Errorf("asked %d times in all; want 2", got)
	}
	d.Policy.Lists[0].Sites[0].Weight = 1 // what is known of other weights does not count
	d.asker.policy = nil
	d.Policy.GreetDelay, d.Policy.StressDelay = 10*time.Second, 10*time.Second
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
		t.Errorf("%v by what other weights made of it", s.Verdict)
	}
}

// DNS is not asked about a client that has spoken already, and the next client does not wait for an
// answer that nobody has asked for.
func TestNotAskedAboutTalker(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	if s, _, _ := d.meet(t, speak); s.Verdict != decide.Pregreet {
		t.Fatal(s.Verdict)
	}
	if got := n.Asked(reversed + ".secret.bad.example"); got != 0 {
		t.Errorf("asked %d times about a client that has spoken", got)
	}
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.DNSBL {
		t.Error(s.Verdict)
	}
}

// DNS is asked about strangers alone: never about a client that the configuration allows or denies,
// one that is blocked, known or one too many, or one that need not wait.
func TestAskedAboutStrangersAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		conf  string
		setUp func(*doorway)
		want  decide.Verdict
	}{
		{"allow 127.9.8.0/24\n", nil, decide.Allowed},
		{"deny 127.9.8.0/24\n", nil, decide.Denied},
		{"", blockLoopback("127.9.8.0/24"), decide.Blocked},
		{"max_sessions 1\nreserve 0%\n", serving("127.0.0.9"), decide.Busy},
		{"client_conns 1\n", serving(asked), decide.Conns},
		{"client_rate 1/1h\nremember 0s\n", serving(asked), decide.Rate},
		{"", known, decide.Known},
		{"client 127.9.8.0/24 greet_delay=0s\n", nil, decide.Pass},
		{"", nil, decide.DNSBL}, // a stranger
	} {
		n := lab.NewNameserver(t)
		behave(t, n, map[string]bool{"bad": true})
		d := dnsDoor(t, "", n, endless+tt.conf, map[string]int{"bad": 3})
		d.Policy.Rules = namedRules{d.Policy.Rules, map[string]rule.Match{"x.example": {}}}
		if tt.setUp != nil {
			tt.setUp(d)
		}
		if s, _, _ := d.meet(t, nil); s.Verdict != tt.want {
			t.Errorf("%q: %v; want %v", tt.conf, s.Verdict, tt.want)
		}
		times := n.Asked(reversed+".secret.bad.example") + n.Asked(reversed+".in-addr.arpa")
		if (times > 0) != (tt.want == decide.DNSBL) {
			t.Errorf("%v: asked %d times", tt.want, times)
		}
	}
}

// A client that leaves while DNS is asked is a HANGUP, and one that speaks is PREGREET.
func TestLeavesWhileAsked(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	for want, does := range map[decide.Verdict]func(*net.TCPConn){
		decide.Pregreet: speak, decide.Hangup: leave,
	} {
		d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
		before := n.Asked(reversed + ".secret.bad.example")
		s, client := d.enter(t)
		ended := make(chan bool)
		go func() { ended <- s.Run() }()
		lab.Eventually(t, "asked", func() bool {
			return n.Asked(reversed+".secret.bad.example") > before
		})
		does(client)
		if served := <-ended; served || s.Verdict != want {
			t.Errorf("%v, served %v; want %v", s.Verdict, served, want)
		}
	}
}

// Of a client on many lists the result is kept, too.
func TestManyListsAskedOnce(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, nil)
	for i := range lookup.MaxLists {
		zone := "l" + strconv.Itoa(i) + ".example"
		n.AddList(t, zone, reversed)
		d.Policy.Lists = append(d.Policy.Lists, dnsbl.List{Zone: zone, Name: zone,
			Sites: []dnsbl.Site{{Weight: 1}}})
	}
	d.Policy.DNSBLThreshold = lookup.MaxLists
	for range 2 {
		if s, _, _ := d.meet(t, nil); s.Verdict != decide.DNSBL {
			t.Fatal(s.Verdict)
		}
		if line := d.line(t); !strings.Contains(line, " score=32/32 ") ||
			!strings.Contains(line, "l31.example:127.0.0.2*1 ") {
			t.Error(line)
		}
	}
	if got := n.Asked(reversed + ".l31.example"); got != 1 {
		t.Errorf("asked %d times; want once", got)
	}
}

// A client for which another process asks already gets that one's answer.
func TestAnotherAsks(t *testing.T) {
	dir := t.TempDir()
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	d := dnsDoor(t, dir, n, endless, map[string]int{"bad": 3})
	other := ledger.Process{PID: unix.Getppid()}
	if p, err := ledger.Identify(other.PID); err == nil {
		other = p
	}
	addr, of := netip.MustParseAddr(asked), fingerprint(d.Policy.Lists, false)
	claimed := false
	err := d.Ledger.Run(func(tx *ledger.Tx) { claimed = tx.ClaimLookup(addr, of, other) })
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	s, _ := d.enter(t)
	ended := make(chan bool)
	go func() { ended <- s.Run() }()
	lab.Eventually(t, "asked", func() bool {
		l, _, err := ledger.Open(d.Policy.Ledger.Path, 1024, ledger.LaterBoot())
		if err != nil {
			return false
		}
		defer l.Close()
		var waiting int
		_ = l.Do(ledger.Now(), func(tx *ledger.Tx) { waiting = tx.Totals().Waiting })
		return waiting == 1
	})
	if got := n.Asked(reversed + ".secret.bad.example"); got != 0 {
		t.Errorf("asked %d times though another asks", got)
	}
	second := open(t, dir, "")
	err = second.Ledger.Run(func(tx *ledger.Tx) { tx.DropLookup(addr, of, other) })
	if err != nil {
		t.Fatal(err)
	}
	if served := <-ended; served || s.Verdict != decide.DNSBL {
		t.Errorf("%v after the other has given up", s.Verdict)
	}
	if got := n.Asked(reversed + ".secret.bad.example"); got != 1 {
		t.Errorf("asked %d times; want once", got)
	}
}
