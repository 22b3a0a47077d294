package wrapper

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
)

// What follows from lists that do not work, and from DNS that does not.

// A resolver that does not answer delays nobody, refuses nobody, and sets no list aside.
func TestDeadResolver(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	const conf = "greet_delay 1s stress=1s\nremember 0s\n"
	d := dnsDoor(t, "", n, conf, map[string]int{"bad": 3, "good": -2})
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
	d.mustRun(t, func(tx *ledger.Tx) {
		for i := range d.Policy.Lists {
			if l := tx.List(d.Policy.Lists[i].Zone); l.Aside > 0 || l.Unheard == 0 ||
				l.Recent > 0 {
				t.Errorf("%s: %+v", d.Policy.Lists[i].Name, l)
			}
		}
	})
	// The same client comes again, before DNS is asked again.
	if d.meet(t, nil); !strings.HasSuffix(d.line(t), " dns=none") {
		t.Error("the next time it passes as one about which DNS has said something")
	}
	n.Release()
	behave(t, n, map[string]bool{"bad": false, "good": true})
	d.from = "127.9.8.6"
	d.Policy.GreetDelay, d.Policy.StressDelay = 3*time.Second, 3*time.Second
	d.meet(t, nil)
	if line := d.line(t); line != "DNS answers again" {
		t.Error(line)
	}
}

// Where nobody listens for DNS, it has not answered either, however long the delay is.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	const delay = "greet_delay 5s stress=5s\n" // longer than two attempts
	d := dnsDoor(t, "", lab.NewNameserver(t), delay, map[string]int{"bad": 3})
	d.Policy.Resolvers = []netip.AddrPort{netip.MustParseAddrPort("127.9.9.9:1")}
	d.meet(t, nil)
	if line := d.line(t); !strings.HasPrefix(line, "DNS does not answer: 127.9.9.9:1; ") {
		t.Error(line)
	}
	d.mustRun(t, func(tx *ledger.Tx) {
		if l := tx.List(d.Policy.Lists[0].Zone); l.Unheard == 0 || l.Aside > 0 {
			t.Errorf("%+v", l)
		}
	})
}

// Where all that DNS answers is that it fails, it does answer.
func TestFailingResolver(t *testing.T) {
	n := lab.NewNameserver(t)
	for _, name := range []string{reversed, "2.0.0.127", "1.0.0.127"} {
		n.Fail(name+".secret.bad.example", 2)
	}
	d := dnsDoor(t, "", n, "greet_delay 3s stress=3s\n", map[string]int{"bad": 3})
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
		t.Error(s.Verdict)
	}
	const want = "DNS answers only with failures: 127.0.0.1"
	if line := d.line(t); !strings.HasPrefix(line, want) {
		t.Error(line)
	}
}

// Where DNS answers nothing for half an hour but that it fails, a list costs no more queries: it
// may be the only one, and its zone be gone. A resolver that does not even say that, or less long,
// is held against no list.
func TestSetAsideForFailingOnly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		since  time.Duration
		silent bool
		aside  bool
	}{
		{"for half an hour", testEvery, false, true},
		{"for less", testEvery - time.Minute, false, false},
		{"silent", testEvery, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t)
			d := dnsDoor(t, "", n, "greet_delay 3s stress=3s\nremember 0s\n",
				map[string]int{"bad": 3})
			zone := d.Policy.Lists[0].Zone
			if n.Hold(""); !tt.silent {
				n.Release()
				for _, name := range []string{reversed, "6.8.9.127", "2.0.0.127", "1.0.0.127"} {
					n.Fail(name+"."+zone, 2)
				}
			}
			for i, at := range []time.Duration{0, tt.since} {
				if err := d.Ledger.Do(ledger.Now().After(at), func(tx *ledger.Tx) {
					if i == 0 {
						tx.CountList(zone, ledger.Unheard, window)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			d.meet(t, nil)
			d.mustRun(t, func(tx *ledger.Tx) {
				l := tx.List(zone)
				if l.Aside > 0 != tt.aside || tt.aside && l.Why != dnsbl.NoAnswer {
					t.Errorf("%+v", l)
				}
			})
			d.from = "127.9.8.6"
			d.meet(t, nil)
			if asked := n.Asked("6.8.9.127."+zone) > 0; asked == tt.aside {
				t.Errorf("the next client is asked about: %v", asked)
			}
		})
	}
}

// A list whose test fails for a moment is tested by the next client, and counts then.
func TestFailsForAMoment(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true, "good": false})
	n.Fail("2.0.0.127.secret.bad.example", 2)
	d := dnsDoor(t, "", n, "greet_delay 10s stress=10s\ndnsbl_ttl 1s 1s\nremember 0s\n",
		map[string]int{"bad": 3, "good": -2})
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
		t.Errorf("%v by a list that has not passed a test", s.Verdict)
	}
	n.Fail("2.0.0.127.secret.bad.example", 0)
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.DNSBL {
		t.Errorf("%v; want the list tested again", s.Verdict)
	}
	for range 2 {
		if line := d.line(t); strings.HasPrefix(line, "list ") {
			t.Error(line)
		}
	}
}

// Tests of a list that has not passed one yet are bounded while DNS does not answer.
func TestDeadListTestedOnce(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	d := dnsDoor(t, "", n, "greet_delay 300ms stress=300ms\nremember 0s\n",
		map[string]int{"bad": 3})
	d.meet(t, nil)
	d.makeRoomDoor()
	var all []*Session
	for range mostTesting {
		d.from = nextClient(d.from)
		s, _ := d.enter(t)
		s.Arrive()
		all = append(all, s)
	}
	tested := 0
	for _, s := range all {
		if s.heard.request.Test != 0 {
			tested++
		}
	}
	if tested != 1 {
		t.Errorf("%d of %d clients test the list; want one", tested, len(all))
	}
}

// nextClient is the address after it.
func nextClient(addr string) string { return netip.MustParseAddr(addr).Next().String() }

// An allow list that begins to list everybody is tested as soon as it has many in a row.
func TestListsEverybody(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, "greet_delay 10s stress=10s\n", map[string]int{"bad": 3, "good": -2})
	behave(t, n, map[string]bool{"bad": false, "good": false})
	for i := 1; i <= doubtfulRow; i++ {
		d.from = "127.9.9." + strconv.Itoa(i)
		n.Add(t, strconv.Itoa(i)+".9.9.127.secret.good.example. 60 IN A 127.0.0.2")
		s, _, _ := d.meet(t, nil)
		if s.Verdict == decide.Pass && i > doubtfulRow/2 {
			break // an answer that came after its client counts twice: this door goes on asking
		}
		if s.Verdict != decide.DNSWL {
			t.Fatalf("client %d: %v", i, s.Verdict)
		}
		n.Add(t, "1.0.0.127.secret.good.example. 60 IN A 127.0.0.2") // from now on
	}
	d.from = asked
	n.Add(t, reversed+".secret.good.example. 60 IN A 127.0.0.2",
		reversed+".secret.bad.example. 60 IN A 127.0.0.2")
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.DNSBL {
		t.Errorf("%v; want the allow list set aside", s.Verdict)
	}
}

// The log says so if a list has nearly everybody: 95 of 100 of the last 200 addresses.
func TestListHasNearlyEverybody(t *testing.T) {
	for listed, want := range map[int]string{
		190: "list bad has 190 of the last 200 clients that it was asked about; see whether it",
		189: "DNSBL client=",
	} {
		n := lab.NewNameserver(t)
		d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
		behave(t, n, map[string]bool{"bad": true})
		zone := d.Policy.Lists[0].Zone
		d.mustRun(t, func(tx *ledger.Tx) { tx.PassListTest(zone) })
		for i := range window - 1 {
			answer := ledger.NotListed
			if i < listed-1 {
				answer = ledger.Listed
			}
			d.mustRun(t, func(tx *ledger.Tx) { tx.CountList(zone, answer, window) })
		}
		if s, _, _ := d.meet(t, nil); s.Verdict != decide.DNSBL {
			t.Fatal(s.Verdict)
		}
		if line := d.line(t); !strings.HasPrefix(line, want) {
			t.Errorf("%d listed: %q; want %q", listed, line, want)
		}
	}
}

// A list that has been set aside counts as soon as it has passed a test, and the log says so.
func TestListIsBack(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	behave(t, n, map[string]bool{"bad": true})
	zone := d.Policy.Lists[0].Zone
	d.mustRun(t, func(tx *ledger.Tx) {
		tx.SetListAside(zone, dnsbl.Refused, time.Hour)
		tx.SetListAside(zone, dnsbl.Refused, 0) // an hour later
	})
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.DNSBL {
		t.Error(s.Verdict)
	}
	if line := d.line(t); line != "list bad works again, and counts" {
		t.Error(line)
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
