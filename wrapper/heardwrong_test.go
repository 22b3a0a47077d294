package wrapper

import (
	"math/rand/v2"
	"net/netip"
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

// What must not follow from what DNS has said, or is still to say.

// keepListed has the ledger remember that the first list has the client.
func (d *doorway) keepListed(t *testing.T) {
	t.Helper()
	r := lookup.Result{Score: dnsbl.Score{Sum: 3}, Hits: []lookup.Hit{
		{List: 0, Addr: netip.MustParseAddr("127.0.0.2"), Weight: 3}}}
	data := r.Encode(ledger.LookupSize)
	of := fingerprint(d.Policy.Lists, false)
	d.mustRun(t, func(tx *ledger.Tx) {
		tx.KeepLookup(netip.MustParseAddr(asked), of, data, time.Hour)
	})
}

func (d *doorway) mustRun(t *testing.T, work func(*ledger.Tx)) {
	t.Helper()
	if err := d.Ledger.Run(work); err != nil {
		t.Fatal(err)
	}
}

// anotherClaims has another process that lives claim to ask about the client. It returns its end.
func (d *doorway) anotherClaims(t *testing.T) (end func()) {
	t.Helper()
	other, err := ledger.Identify(unix.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	addr, of, claimed := netip.MustParseAddr(asked), fingerprint(d.Policy.Lists, false), false
	d.mustRun(t, func(tx *ledger.Tx) { claimed = tx.ClaimLookup(addr, of, other) })
	if !claimed {
		t.Fatal("not claimed")
	}
	return func() { d.mustRun(t, func(tx *ledger.Tx) { tx.DropLookup(addr, of, other) }) }
}

// makeRoomDoor makes the door that of a room.
func (d *doorway) makeRoomDoor() {
	d.identify()
	d.Process.Shared, d.room = true, true
}

// hearAll hears until nothing is asked any more.
func (d *doorway) hearAll(t *testing.T) {
	t.Helper()
	lab.Eventually(t, "nothing is asked", func() bool {
		d.HearDNS(func(*Session) {})
		_, asking := d.UntilDNS()
		return !asking
	})
}

// What the ledger remembers is asked again if its bytes make no sense: an older build wrote them,
// or nobody did. Whatever they are, the client gets a verdict, and not a worse one than lists give.
func TestDamagedResult(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true, "good": false})
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3, "good": -2})
	d.keepListed(t)
	of := fingerprint(d.Policy.Lists, false)
	for i := range 300 {
		d.mustRun(t, func(tx *ledger.Tx) {
			data := tx.Lookup(netip.MustParseAddr(asked), of).Data
			if i < 3 {
				data = []byte("\x01nonsense")[:i*4] // of nobody, or of an older build
			} else {
				data[rand.IntN(len(data))] = byte(rand.IntN(256))
			}
			tx.KeepLookup(netip.MustParseAddr(asked), of, data, time.Hour)
		})
		s, _ := d.enter(t)
		waits := s.Arrive()
		if v := s.Verdict; waits != (v == decide.Undecided) || v.Final() && v != decide.DNSBL {
			t.Fatalf("%d: %v", i, v)
		}
		if waits {
			if s.heard == nil || !s.heard.result.Done && s.heard.request == nil {
				t.Fatalf("%d: it waits, and nobody asks", i)
			}
			s.Conclude(decide.Left, 0)
			d.keepListed(t)
		}
	}
}

// A client that is known is served, whatever lists say of its address.
func TestKnownButListed(t *testing.T) {
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	d.keepListed(t)
	d.mustRun(t, func(tx *ledger.Tx) { tx.Remember(netip.MustParsePrefix(asked+"/32"), time.Hour) })
	if s, _, served := d.meet(t, nil); s.Verdict != decide.Known || !served {
		t.Errorf("%v; want KNOWN", s.Verdict)
	}
}

// What a list has said that is set aside by now does not count.
func TestListedBySetAside(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"good": false})
	d := dnsDoor(t, "", n, "greet_delay 10s stress=10s\n", map[string]int{"bad": 3, "good": -2})
	d.keepListed(t)
	d.mustRun(t, func(tx *ledger.Tx) {
		tx.SetListAside(d.Policy.Lists[0].Zone, dnsbl.ListsAll, testEvery)
	})
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
		t.Errorf("%v by a list that is set aside", s.Verdict)
	}
	good, bad := n.Asked(reversed+".secret.good.example"), n.Asked(reversed+".secret.bad.example")
	if good != 1 || bad != 0 {
		t.Error("the other list, and no other, must be asked")
	}
}

// What other lists have said does not count after the room has read another configuration, whether
// or not the session rests.
func TestListedByFormerLists(t *testing.T) {
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 2, "good": -2})
	d.makeRoomDoor()
	s, _ := d.enter(t)
	if !s.Arrive() || s.heard == nil {
		t.Fatal(s.Verdict)
	}
	s.heard.result = lookup.Result{Score: dnsbl.Score{Sum: 2, Lowest: 2, Highest: 2}}
	s.applyHeard()
	settings := *d.Policy.Settings
	settings.Lists, settings.DNSBLThreshold = settings.Lists[1:], 2
	d.Policy = &policy.Policy{Settings: &settings, Rules: d.Policy.Rules}
	if s.Conclude(decide.Quiet, s.Delay()); s.Verdict != decide.Pass {
		t.Errorf("%v by a list that is no longer there", s.Verdict)
	}
}

// A client that is gone is asked about no more, when the process that has asked has ended.
func TestGoneWhileAnotherAsks(t *testing.T) {
	for _, greet := range []decide.Greet{decide.Left, decide.Spoke} {
		n := lab.NewNameserver(t)
		d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
		d.makeRoomDoor()
		end := d.anotherClaims(t)
		s, _ := d.enter(t)
		if !s.Arrive() {
			t.Fatal(s.Verdict)
		}
		s.Ask()
		s.Conclude(greet, time.Second)
		end()
		d.hearAll(t)
		if n.Asked(reversed+".secret.bad.example") > 0 {
			t.Errorf("asked about a client that is gone: %v", s.Verdict)
		}
	}
}

// A client that a room has decided about before it could ask leaves no claim behind, neither to its
// address nor to the test of a list.
func TestNoClaimLeft(t *testing.T) {
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	d.makeRoomDoor()
	s, _ := d.enter(t)
	if !s.Arrive() {
		t.Fatal(s.Verdict)
	}
	s.Conclude(decide.Spoke, 0)
	found := d.Ledger.PeekLookup(netip.MustParseAddr(asked), fingerprint(d.Policy.Lists, false))
	if found.State != ledger.NotAsked {
		t.Errorf("state %d; want no claim", found.State)
	}
	d.mustRun(t, func(tx *ledger.Tx) {
		if !tx.ClaimListTest(d.Policy.Lists[0].Zone, testEvery) {
			t.Error("nobody may test the list")
		}
	})
}

// The delay of a client that was decided at its arrival stays what it was, though what is known of
// it by then says otherwise, unless a rule for its name does.
func TestDelayStays(t *testing.T) {
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	d.makeRoomDoor()
	s, _ := d.enter(t)
	if !s.Arrive() {
		t.Fatal(s.Verdict)
	}
	saved := s.Save()
	saved.Delay = 2 * time.Second // in stress
	s = d.Restore(s.FD, saved)
	s.learn(lookup.Result{Done: true})
	if s.Delay() != saved.Delay {
		t.Errorf("delay %v; want %v", s.Delay(), saved.Delay)
	}
}

// The program that takes a room's place knows what the one before has heard, and asks itself what
// that one has asked.
func TestRestoreHeard(t *testing.T) {
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 2, "good": -2})
	d.makeRoomDoor()
	d.Policy.DNSBLWelcome = 0
	s, _ := d.enter(t)
	if !s.Arrive() {
		t.Fatal(s.Verdict)
	}
	saved := s.Save()
	d.Restore(s.FD, saved)
	found := d.Ledger.PeekLookup(netip.MustParseAddr(asked), fingerprint(d.Policy.Lists, false))
	if found.State != ledger.NotAsked {
		t.Errorf("state %d; want that it can be asked", found.State)
	}
	d.keepListed(t)
	s = d.Restore(s.FD, saved)
	if s.settle(); s.facts().Score.Sum != 3 {
		t.Errorf("score %d; want what the ledger remembers", s.facts().Score.Sum)
	}
}

// A client that came while others had the ledger is refused for what it remembers, or for what DNS
// says, as soon as they do not have it any more.
func TestListedInCrowd(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	for _, kept := range []bool{true, false} {
		d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
		if kept {
			d.keepListed(t)
		}
		d.Ledger.CrowdPatience = time.Millisecond
		release := d.hold(t)
		s, _ := d.enter(t)
		waits := s.Arrive()
		release()
		d.Ledger.CrowdPatience = 0
		if !waits {
			t.Fatal(s.Verdict)
		}
		if s.Conclude(s.wait()); s.Verdict != decide.DNSBL {
			t.Errorf("kept %v: %v; want DNSBL", kept, s.Verdict)
		}
		want := 1
		if kept {
			want = 0
		}
		if got := n.Asked(reversed + ".secret.bad.example"); got != want {
			t.Errorf("kept %v: asked %d times; want %d", kept, got, want)
		}
	}
}

// A session whose list is not known any more can be logged, and its client refused.
func TestLogWithoutHeard(t *testing.T) {
	d := open(t, "", endless)
	d.makeRoomDoor()
	s, _ := d.enter(t)
	saved := s.Save()
	saved.Verdict = decide.DNSBL // observed, before a reload and a takeover
	s = d.Restore(s.FD, saved)
	s.Account(0)
	if s.reply() == "" {
		t.Error("no reply")
	}
}
