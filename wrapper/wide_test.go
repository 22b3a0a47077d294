package wrapper

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// strikesOf are the strikes of networks that count.
func (d *doorway) strikesOf(t *testing.T, networks ...string) (all []int) {
	t.Helper()
	err := d.Ledger.Run(func(tx *ledger.Tx) {
		for _, n := range networks {
			all = append(all, tx.Strikes(netip.MustParsePrefix(n), time.Hour))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// An early talker's strike does not count in a wide network that holds an address of this machine.
// It does in its own and in the other wide one.
func TestOwnWideNetwork(t *testing.T) {
	d := open(t, "", "greet_delay 290s stress=290s\nblock strikes=8 within=1h\n"+
		"wide 31 63 strikes=8\nwide 24 48 strikes=2\n")
	d.from = stranger
	for range 3 {
		if s, _, _ := d.meet(t, speak); s.Verdict != decide.Pregreet {
			t.Errorf("%v; want PREGREET", s.Verdict)
		}
		d.line(t)
	}
	got := d.strikesOf(t, "127.0.0.2/32", "127.0.0.2/31", "127.0.0.0/24")
	if fmt.Sprint(got) != "[3 3 0]" {
		t.Errorf("strikes %v; want 3, 3, and none where this machine is", got)
	}
}

// One strike begins one block, of the widest network whose number is reached; the others keep
// counting. With block off there is none.
func TestWideBlocks(t *testing.T) {
	for _, tt := range []struct{ conf, blocked, strikes string }{
		{"block strikes=2 within=1h\nwide 31 63 strikes=2\nwide 30 48 strikes=2", "127.0.0.4/30",
			"[2 2 0]"},
		{"block strikes=2 within=1h\nwide 31 63 strikes=2\nwide 30 48 strikes=3", "127.0.0.4/31",
			"[2 0 2]"},
		{"block strikes=2 within=1h\nwide 31 63 strikes=3\nwide 30 48 client_conns=9",
			"127.0.0.5/32", "[0 2 0]"},
		{"block off\nwide 31 63 strikes=2\nwide 30 48 strikes=2", "", "[2 2 2]"},
	} {
		d := open(t, "", "greet_delay 290s stress=290s\n"+tt.conf)
		d.from = "127.0.0.5"
		var blocked string
		for range 2 {
			s, _, _ := d.meet(t, speak)
			if network, left, _ := s.Block(); left > 0 {
				blocked += network.String()
			}
			d.line(t)
		}
		if blocked != tt.blocked {
			t.Errorf("%q: %q is blocked; want %q", tt.conf, blocked, tt.blocked)
		}
		got := fmt.Sprint(d.strikesOf(t, "127.0.0.5/32", "127.0.0.4/31", "127.0.0.4/30"))
		if got != tt.strikes {
			t.Errorf("%q: strikes %s; want %s", tt.conf, got, tt.strikes)
		}
	}
}

// What a client has learned takes back its strike in wide networks, too.
func TestForgivenInWideNetworks(t *testing.T) {
	d := open(t, "", "greet_delay 50ms stress=50ms\nremember 0\nblock strikes=8 within=1h\n"+
		"wide 31 63 strikes=8\nwide 30 48 strikes=8\n")
	d.from = "127.0.0.5"
	d.meet(t, speak)
	networks := []string{"127.0.0.5/32", "127.0.0.4/31", "127.0.0.4/30"}
	if got := fmt.Sprint(d.strikesOf(t, networks...)); got != "[1 1 1]" {
		t.Errorf("strikes %s; want one each", got)
	}
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
		t.Fatalf("%v; want PASS", s.Verdict)
	}
	if got := fmt.Sprint(d.strikesOf(t, networks...)); got != "[0 0 0]" {
		t.Errorf("strikes %s; want none", got)
	}
}

// Offences that are written later count in all networks, also if each begins a block.
func TestUnwrittenWideStrikes(t *testing.T) {
	const many = 60
	d := open(t, "", "greet_delay 1s\nblock strikes=8 within=1h for=1h max=1h\n"+
		"wide 24 48 strikes=1\nwide 8 32 strikes=8\n")
	d.Process.Shared, d.room = true, true
	d.Ledger.CrowdPatience = time.Millisecond
	for n := range many {
		release := d.hold(t) // as in TestUnwrittenStrikes
		d.from = fmt.Sprintf("127.1.%d.1", n)
		s, c := d.enter(t)
		speak(c)
		arrived(t, s.FD)
		if s.Arrive() {
			s.Conclude(decide.Spoke, 0)
		}
		release()
	}
	blocked := 0
	lab.Eventually(t, "all are written", func() bool {
		blocked += len(d.WriteStrikes())
		return !d.HasUnwritten()
	})
	if blocked != many {
		t.Errorf("%d networks are blocked; want %d", blocked, many)
	}
}

// Without the ledger's lock nobody is refused because of sessions of a wide network, which may be
// dead.
func TestCrowdedLedgerOfAWideNetwork(t *testing.T) {
	d := open(t, "", "greet_delay 100ms\nwide 30 48 client_conns=1\n")
	d.from = "127.0.0.6"
	other, _ := d.enter(t)
	if !other.Arrive() {
		t.Fatalf("the first is %v", other.Verdict)
	}
	d.from = "127.0.0.5"
	known := netip.MustParsePrefix("127.0.0.5/32")
	_ = d.Ledger.Run(func(tx *ledger.Tx) { tx.Remember(known, time.Hour) })
	if s, _, _ := d.meet(t, nil); s.Verdict != decide.Conns {
		t.Errorf("with the lock: %v; want CONNS", s.Verdict)
	}
	d.Ledger.CrowdPatience = time.Millisecond
	release := d.hold(t)
	s, _ := d.enter(t)
	if s.Arrive() {
		s.Conclude(s.wait())
	}
	release()
	if s.Verdict != decide.Known {
		t.Errorf("without the lock: %v; want KNOWN", s.Verdict)
	}
}
