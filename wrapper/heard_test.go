package wrapper

import (
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
)

const (
	asked    = "127.9.8.7" // the client of these tests
	reversed = "7.8.9.127"
	endless  = "greet_delay 290s stress=290s\n" // a client gets through only if DNS ends the delay
)

// dnsDoor is a door that asks a nameserver about its clients. Each list is bad or good by its
// weight, is named after its zone, and is known to behave.
func dnsDoor(
	t *testing.T, dir string, n *lab.Nameserver, conf string, lists map[string]int,
) *doorway {
	t.Helper()
	d := open(t, dir, conf)
	d.from = asked
	d.Policy.Resolvers = []netip.AddrPort{n.Addr}
	d.Policy.DNSBLThreshold, d.Policy.DNSBLWelcome = 3, -2
	for _, name := range []string{"bad", "good", "slow"} {
		if weight, found := lists[name]; found {
			d.Policy.Lists = append(d.Policy.Lists, dnsbl.List{
				Zone: "secret." + name + ".example", Name: name, URL: "https://" + name + ".example/",
				Sites: []dnsbl.Site{{Weight: weight}},
			})
		}
	}
	return d
}

// behave adds to the nameserver lists that behave, some of which have the client.
func behave(t *testing.T, n *lab.Nameserver, lists map[string]bool) {
	t.Helper()
	for name, listed := range lists {
		if zone := "secret." + name + ".example"; listed {
			n.AddList(t, zone, reversed)
		} else {
			n.AddList(t, zone)
		}
	}
}

func TestHeard(t *testing.T) {
	weights := map[string]int{"bad": 3, "good": -2}
	for _, tt := range []struct {
		name, conf string
		listed     map[string]bool
		set        func(*policy.Settings)
		want       decide.Verdict
		served     bool
		reply, log string
	}{
		{"listed", endless, map[string]bool{"bad": true, "good": false}, nil, decide.DNSBL, false,
			"554 5.7.1 mx.example [127.9.8.7] is listed by bad; see https://bad.example/",
			"wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3 reply=554"},
		{"listed, tempfail", endless, map[string]bool{"bad": true, "good": false},
			func(s *policy.Settings) { s.OnListed = policy.Tempfail }, decide.DNSBL, false,
			"421 4.7.1 mx.example [127.9.8.7] is listed by bad; see https://bad.example/",
			"wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3 reply=421"},
		{"listed, drop", endless, map[string]bool{"bad": true, "good": false},
			func(s *policy.Settings) { s.OnListed = policy.Drop }, decide.DNSBL, false, "",
			"wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3 reply=none"},
		{"listed, observed", endless + "mode observe\n",
			map[string]bool{"bad": true, "good": false}, nil, decide.DNSBL, true, "",
			"mode=observe wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3"},
		{"welcome", endless, map[string]bool{"bad": false, "good": true}, nil, decide.DNSWL, true,
			"", "wait=WAIT/4m50s conns=1/50 score=-2/3 lists=good:127.0.0.2*-2"},
		{"both", "greet_delay 10s stress=10s\n", map[string]bool{"bad": true, "good": true}, nil,
			decide.Pass, true, "",
			"wait=WAIT/10s conns=1/50 score=1/3 lists=bad:127.0.0.2*3,good:127.0.0.2*-2"},
		{"none", "greet_delay 10s stress=10s\n", map[string]bool{"bad": false, "good": false}, nil,
			decide.Pass, true, "", "wait=WAIT/10s conns=1/50"},
		{"no threshold", "greet_delay 10s stress=10s\n",
			map[string]bool{"bad": true, "good": false},
			func(s *policy.Settings) { s.DNSBLThreshold = 0 }, decide.Pass, true, "",
			"wait=WAIT/10s conns=1/50 score=3/- lists=bad:127.0.0.2*3"},
		{"no welcome", "greet_delay 10s stress=10s\n", map[string]bool{"bad": false, "good": true},
			func(s *policy.Settings) { s.DNSBLWelcome = 0 }, decide.Pass, true, "",
			"wait=WAIT/10s conns=1/50 score=-2/3 lists=good:127.0.0.2*-2"},
		{"dnsbl=off", "greet_delay 1s stress=1s\nclient 127.9.0.0/16 dnsbl=off\n",
			map[string]bool{"bad": true, "good": false}, nil, decide.Pass, true, "",
			"wait=WAIT/1s conns=1/50"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t)
			behave(t, n, tt.listed)
			d := dnsDoor(t, "", n, tt.conf, weights)
			if tt.set != nil {
				tt.set(d.Policy.Settings)
			}
			s, client, served := d.meet(t, nil)
			if s.Verdict != tt.want || served != tt.served {
				t.Errorf("%v, served %v; want %v, %v", s.Verdict, served, tt.want, tt.served)
			}
			if !served {
				unix.Close(s.FD)
				if got := strings.TrimRight(readAll(t, client), "\r\n"); got != tt.reply {
					t.Errorf("reply %q; want %q", got, tt.reply)
				}
			}
			line := regexp.MustCompile(`wait=[0-9.]+s`).ReplaceAllString(d.line(t), "wait=WAIT")
			if !strings.HasSuffix(line, " "+tt.log) {
				t.Errorf("log %q; want %q", line, tt.log)
			}
			if got := d.totals(t).Verdicts[tt.want]; got != 1 {
				t.Errorf("%v was counted %d times", tt.want, got)
			}
			next, _ := d.enter(t)
			if next.Arrive(); next.facts().Known != (tt.want.Served()) {
				t.Errorf("known afterwards: %v", next.facts().Known)
			}
		})
	}
}

// The longest reply about a list fits into a line.
func TestListedReplyFits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	p := &policy.Policy{Settings: &policy.Settings{Hostname: long(policy.MaxHostname),
		Contact: long(policy.MaxContact)}}
	s := &Session{door: &Door{Policy: p}, Connection: Connection{
		Client: netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:1")}}
	for _, url := range []int{0, 100, dnsbl.MaxZone, 200} {
		name := long(dnsbl.MaxZone)
		s.heard = &heard{lists: []dnsbl.List{{Name: name, URL: long(url)}}}
		s.heard.result.Hits = []lookup.Hit{{List: 0, Weight: 3}}
		line := s.listedReply(policy.Reject)
		if line == "" || len(line) > 510 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
	p.Contact = ""
	if line := s.listedReply(policy.Reject); !strings.Contains(line, long(dnsbl.MaxZone)) {
		t.Errorf("the list has no name: %s", line)
	}
}

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

// A resolver that does not answer delays nobody, refuses nobody, and sets no list aside.
func TestDeadResolver(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	d := dnsDoor(t, "", n, "greet_delay 1s stress=1s\n", map[string]int{"bad": 3, "good": -2})
	s, _, served := d.meet(t, nil)
	if s.Verdict != decide.Pass || !served || s.waited < time.Second {
		t.Errorf("%v, served %v, waited %v", s.Verdict, served, s.waited)
	}
	if line := d.line(t); !strings.HasPrefix(line, "DNS does not answer: ") {
		t.Error(line)
	}
	line := d.line(t)
	if !strings.HasPrefix(line, "PASS ") || !strings.HasSuffix(line, " dns=none") {
		t.Error(line)
	}
	err := d.Ledger.Run(func(tx *ledger.Tx) {
		for i := range d.Policy.Lists {
			if l := tx.List(d.Policy.Lists[i].Zone); l.Aside > 0 {
				t.Errorf("%s is set aside: %s", d.Policy.Lists[i].Name, l.Why)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// A list that lies refuses nobody. It is not asked again, and the log says so once.
func TestLyingList(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t, reversed+".secret.bad.example. 300 IN A 127.255.255.254")
	behave(t, n, map[string]bool{"bad": false, "good": false})
	d := dnsDoor(t, "", n, "greet_delay 10s stress=10s\n", map[string]int{"bad": 3, "good": -2})
	s, _, _ := d.meet(t, nil)
	if s.Verdict != decide.Pass {
		t.Errorf("%v by a list that lies", s.Verdict)
	}
	want := "list bad " + dnsbl.Meaning(dnsbl.PublicResolver) + "; it does not count for 30m"
	if line := d.line(t); line != want {
		t.Errorf("%q; want %q", line, want)
	}
	if line := d.line(t); !strings.HasPrefix(line, "PASS ") {
		t.Error(line)
	}
	d.from = "127.9.8.6"
	if s, _, _ = d.meet(t, nil); s.Verdict != decide.Pass {
		t.Error(s.Verdict)
	}
	if line := d.line(t); !strings.HasPrefix(line, "PASS ") {
		t.Errorf("said again: %s", line)
	}
	bad, good := n.Asked("6.8.9.127.secret.bad.example"), n.Asked("6.8.9.127.secret.good.example")
	if bad != 0 || good != 1 {
		t.Errorf("asked %d times a list that is set aside, %d times the other", bad, good)
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

// A client that need not wait because it has left often waits for what the lists say, and no
// longer.
func TestHangupsAndLists(t *testing.T) {
	for listed, want := range map[bool]decide.Verdict{true: decide.DNSBL, false: decide.Pass} {
		n := lab.NewNameserver(t)
		behave(t, n, map[string]bool{"bad": listed})
		d := dnsDoor(t, "", n, endless+"remember_hangups 3/1h\n", map[string]int{"bad": 3})
		d.from = asked
		err := d.Ledger.Run(func(tx *ledger.Tx) {
			p := ledger.Self()
			for range 3 {
				network := netip.MustParsePrefix(asked + "/32")
				a := ledger.Arrival{Client: netip.MustParseAddrPort(asked + ":1"), Network: network}
				session, _ := tx.Enter(a, p)
				tx.HungUp(network, 100*time.Second, time.Hour)
				tx.Leave(session)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if s, _, _ := d.meet(t, nil); s.Verdict != want {
			t.Errorf("listed %v: %v; want %v", listed, s.Verdict, want)
		}
	}
}
