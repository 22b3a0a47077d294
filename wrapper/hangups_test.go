package wrapper

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// hungUp is a client that has left this many times, each time after this wait.
func hungUp(times int, waited time.Duration) func(*doorway) {
	return func(d *doorway) {
		var f decide.Facts
		from := netip.AddrPortFrom(netip.MustParseAddr(d.from), 4000)
		d.facts(&f, from.Addr(), d.room)
		for range times {
			_ = d.Ledger.Run(func(t *ledger.Tx) {
				a := d.arrival(from, &f.Limits)
				s, _ := t.Enter(a, d.Process)
				t.HungUp(a.Network, waited, a.Limits.HangupsPer)
				t.Leave(s)
			})
		}
	}
}

// crowd is n clients that have arrived, with these addresses, numbered from 1.
func (d *doorway) crowd(t *testing.T, addresses string, n int) (all []*Session) {
	t.Helper()
	for i := range n {
		from := netip.MustParseAddr(fmt.Sprintf(addresses, i+1))
		s := d.NewSession(Connection{FD: -1, Client: netip.AddrPortFrom(from, 25)})
		if !s.Arrive() {
			t.Fatalf("%v: %v", from, s.Verdict)
		}
		all = append(all, s)
	}
	return all
}

// Hangups in a row let one connection in, which makes the client known; anything else ends the row.
//
// The visits are one after the other. With a plus the client need not wait. It leaves late (after
// half of the delay), soon (after a millisecond) or now, is quiet to the end, or speaks.
func TestHangups(t *testing.T) {
	const delay, harmless = 290 * time.Second, "strikes_by_kind other=0"
	network := netip.MustParsePrefix(stranger + "/32")
	for name, tt := range map[string]struct{ conf, visits string }{
		"let in, then known": {"", "late late late +quiet +quiet +now +now"},
		"let in once":        {"", "late late late +now late late late +now now"},
		"let in, and speaks": {harmless, "late late late +spoke late late late +now"},
		"speaks in between":  {harmless, "late late spoke late late late +now"},
		"struck in between":  {"", "late late struck late late late +now"},
		"waits in between":   {"remember 1ms", "late late quiet late late late +now"},
		"in no time":         {"remember_hangups 1/1h", "soon soon soon soon soon soon soon"},
		"one is enough":      {"remember_hangups 1/1h", "soon late soon late +now"},
		"one more":           {"remember_hangups 4/24h", "late late late late +now"},
		"off":                {"remember_hangups off", "late late late late"},
		"nobody is known":    {"remember 0", "late late late late"},
		"a delay of its own": {"client 127.0.0.2 greet_delay=10s", "3s 3s 3s 3s +now"},
	} {
		d := open(t, "", "greet_delay 290s stress=290s\n"+tt.conf)
		d.from = stranger
		for i, visit := range strings.Fields(tt.visits) {
			does, in := strings.CutPrefix(visit, "+")
			s, _ := d.enter(t)
			if waits := s.Arrive(); !waits || (s.Delay() == 0) != in {
				t.Fatalf("%s: visit %d: %v, has to wait for %v", name, i, s.Verdict, s.Delay())
			}
			switch does {
			case "late", "struck":
				s.Conclude(decide.Left, delay/2)
			case "3s":
				s.Conclude(decide.Left, 3*time.Second)
			case "soon":
				s.Conclude(decide.Left, time.Millisecond)
			case "now":
				s.Conclude(decide.Left, 0)
			case "quiet":
				s.Conclude(decide.Quiet, s.Delay())
				s.End()
			case "spoke":
				s.Conclude(decide.Spoke, 0)
			}
			if does == "struck" {
				_ = d.Ledger.Run(func(t *ledger.Tx) { t.Strike(network, "x", 1, ledger.Penalty{}) })
			}
			if d.Policy.Remember == time.Millisecond {
				lab.Eventually(t, "it is not known", func() bool { return !d.standing(t).Known })
			}
		}
	}
}

// Attackers of one network that wait at the same time count as one that waits, however many they
// are. Clients of another network do not profit.
func TestHangupsOfMany(t *testing.T) {
	for _, tt := range []struct{ own, other string }{
		{"2001:db8:1:2::%d", "2001:db8:1:3::%d"}, {"192.0.2.%d", "192.0.3.%d"},
	} {
		d := open(t, "", "greet_delay 290s stress=290s\ncount_by 24 64\nclient_conns 0")
		for round := range 3 {
			all := d.crowd(t, tt.own, 40)
			for _, s := range all {
				if s.Delay() == 0 {
					t.Errorf("%v is let in, in round %d", s.Client, round)
				}
				s.Conclude(decide.Left, 97*time.Second)
			}
		}
		if other := d.crowd(t, tt.other, 1)[0]; other.Delay() == 0 {
			t.Errorf("%v is let in for its neighbors' hangups", other.Client)
		}
		in := 0
		for _, s := range d.crowd(t, tt.own, 40) {
			if s.Delay() == 0 {
				in++
			}
		}
		if in != 1 {
			t.Errorf("after three rounds %d are let in; want one", in)
		}
	}
}

// A monitor that comes back for hours does not have to leave as often again the next day.
func TestHangupsStayKnown(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		d := open(t, "", "greet_delay 290s stress=290s")
		d.from = stranger
		if leaves {
			hungUp(3, 100*time.Second)(d)
		}
		s, _ := d.enter(t)
		s.Arrive()
		s.Conclude(decide.Quiet, s.Delay())
		s.End()
		now, network, known := ledger.Now(), d.Network(s.Client.Addr()), false
		for hour := range 25 {
			err := d.Ledger.Do(now.After(time.Duration(hour)*time.Hour), func(t *ledger.Tx) {
				if known = t.Known(network); known {
					t.Visit(network, d.Policy.Remember)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if known != leaves {
			t.Errorf("has left before: %v; is it known the next day? %v", leaves, known)
		}
	}
}
