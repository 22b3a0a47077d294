package wrapper

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// check says what happens, in every situation that decides at the door.
func TestExplainAgrees(t *testing.T) {
	for _, tt := range []struct {
		conf   string
		before func(*doorway)
	}{
		{"deny 127.0.0.1", nil}, {"allow 127.0.0.1", nil}, {"", blockLoopback("127.0.0.0/24")},
		{"max_sessions 1", serving("127.0.0.9")},
		{"client_conns 1", waiting("127.0.0.1")}, {"client_rate 1/1h", waiting("127.0.0.1")}, {"",
			known}, {"", nil},
		{"remember_hangups 2/1h", hungUp(2, time.Minute)},
	} {
		d := open(t, "", "greet_delay 50ms stress=50ms\n"+tt.conf)
		if tt.before != nil {
			tt.before(d)
		}
		steps, said, _, err := d.Explain(netip.MustParseAddr("127.0.0.1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		s, _, _ := d.meet(t, nil)
		if said != s.Verdict {
			t.Errorf("%q: explained as %v, was %v", tt.conf, said, s.Verdict)
		}
		if marked(t, steps) != s.Verdict || len(steps) != int(decide.Pass) {
			t.Errorf("%q: %v decided; marked is\n%v", tt.conf, s.Verdict, steps)
		}
	}
}

// marked is the verdict of the only test that is marked.
func marked(t *testing.T, steps []decide.Step) (v decide.Verdict) {
	t.Helper()
	for _, step := range steps {
		if step.Decides {
			if v != decide.Undecided {
				t.Errorf("marked are both %v and %v", v, step.Verdict)
			}
			v = step.Verdict
		}
	}
	return v
}

// A block for bad recipients is explained with their numbers, and with what a relay needs.
func TestExplainBadRcpts(t *testing.T) {
	d := open(t, "", "greet_delay 50ms stress=50ms\n")
	network := netip.MustParsePrefix("192.0.2.1/32")
	err := d.Ledger.Run(func(t *ledger.Tx) {
		for range 12 {
			t.BadRcpt(network, time.Hour)
		}
		t.GoodRcpts(network, 3, time.Hour)
	})
	if err != nil {
		t.Fatal(err)
	}
	const numbers = "; unknown recipients in 1h: 12 of 10, accepted ones 3"
	block := func() string {
		steps, _, _, err := d.Explain(network.Addr(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return steps[decide.Blocked-1].Found
	}
	if got := block(); !strings.HasSuffix(got, numbers) {
		t.Errorf("%q; want %q at the end", got, numbers)
	}
	_ = d.Ledger.Run(func(t *ledger.Tx) {
		t.Block(network, time.Hour, "bad_rcpts",
			ledger.Penalty{})
	})
	if got := block(); !strings.Contains(got, "bad_rcpts"+numbers+"; a relay ") ||
		!strings.Contains(got, "client 192.0.2.1/32 bad_rcpts_total=100/1h") {
		t.Errorf("%q", got)
	}
}

// Sessions of the dead hold no place in a wide network, and check shows none there.
func TestExplainCountsTheLivingOfWideNetworks(t *testing.T) {
	d := open(t, "", "wide 24 48 client_conns=9\n")
	dead := ledger.Process{PID: 1<<22 - 2, Start: 7}
	first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	enter := func(client netip.Addr, p ledger.Process) {
		err := d.Ledger.Run(func(tx *ledger.Tx) {
			var f decide.Facts
			d.facts(&f, client, false)
			tx.Enter(d.arrival(netip.AddrPortFrom(client, 25), &f.Limits), p)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	enter(first, dead)
	enter(second, d.Process)
	steps, _, _, err := d.Explain(netip.MustParseAddr("192.0.2.3"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := steps[decide.Conns-1].Found; !strings.HasSuffix(got, "; of 192.0.2.0/24 1 of 9") {
		t.Errorf("%q", got)
	}
}
