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

// Of a thousand clients that come at once from six networks, few are served. A known client and a
// new one get in among them and after them.
func TestExactSixNetworks(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		d := open(t, "", "greet_delay 10ms stress=10ms")
		friend, stranger := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1")
		d.from = friend.String()
		known(d)
		clients := append(clientsOf(6, 166, v6), friend, stranger)
		all := d.crowdAt(t, append(clients, friend, stranger))
		for i, want := range []decide.Verdict{decide.Known, decide.Pass, decide.Known,
			decide.Pass} {
			if s := all[996+i]; s.Verdict != want {
				t.Errorf("among six networks %v was %v; want %v", s.Client, s.Verdict, want)
			}
		}
		n := d.totals(t)
		// With 180 of 300 taken none of the six gets more than its ten; those of a /48 are one.
		if most := 180 + 2*10 + 4; n.Serving > most || n.Serving < 180 || n.Waiting != 0 {
			t.Errorf("%d served, %d wait; want 180 to %d served", n.Serving, n.Waiting, most)
		}
		for _, c := range []netip.Addr{friend, stranger, netip.MustParseAddr("203.0.113.2")} {
			if s := d.crowdAt(t, []netip.Addr{c})[0]; !s.Served() {
				t.Errorf("after six networks %v was %v", c, s.Verdict)
			}
		}
	}
}

// A share grows again when there are more places, and the dead do not count.
func TestShareGrowsAgain(t *testing.T) {
	d := open(t, "", "greet_delay 10ms stress=10ms\nmax_sessions 10\nreserve 0%")
	client := netip.MustParseAddr("192.0.2.1")
	one := func() *Session { return d.crowdAt(t, []netip.Addr{client})[0] }
	d.taken(t, 5, 0)
	var all []*Session
	for range 3 {
		all = append(all, one())
	}
	if s := one(); s.Verdict != decide.Conns ||
		tally(all)[decide.Pass]+tally(all)[decide.Known] != 3 {
		t.Fatalf("with three of ten: %v, %v", tally(all), s.Verdict)
	}
	all[0].End()
	if s := one(); !s.Served() {
		t.Errorf("when one has ended: %v", s.Verdict)
	}
	if s := one(); s.Verdict != decide.Conns {
		t.Errorf("with three again: %v", s.Verdict)
	}
	dead := ledger.Process{PID: 1<<22 - 2, Start: 7}
	err := d.Ledger.Run(func(tx *ledger.Tx) { // its process is one that does not live
		all[1].token, _ = tx.Transfer(all[1].token, dead)
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := one(); !s.Served() {
		t.Errorf("when one has died: %v", s.Verdict)
	}
	err = d.Ledger.Run(func(tx *ledger.Tx) { tx.FreeExcept(d.Process, nobody) })
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		if s := one(); !s.Served() {
			t.Errorf("with all places free, number %d: %v", n, s.Verdict)
		}
	}
}

// The sessions of the dead hold no places: a process with one client does not say when it ends.
func TestNoShareForTheDead(t *testing.T) {
	d := open(t, "", "max_sessions 100\nreserve 0%")
	dead := ledger.Process{PID: 1<<22 - 2, Start: 7}
	for n := range 65 { // from 80 on all are looked at, whoever comes
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(n)}), 25)
		err := d.Ledger.Run(func(tx *ledger.Tx) {
			s, _ := tx.Enter(d.arrival(client, &decide.Limits{}), dead)
			tx.Serve(s)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 14 {
		if s := d.crowdAt(t, []netip.Addr{netip.MustParseAddr("192.0.2.1")})[0]; !s.Served() {
			t.Fatalf("on an empty server session %d of a network is %v", n+1, s.Verdict)
		}
	}
}

// Sessions end for a client that would be let in then, and for no other.
func TestWantsPlace(t *testing.T) {
	for _, tt := range []struct {
		ledger.Standing
		want bool
	}{
		{ledger.Standing{Serving: 239, Served: 9}, false},
		{ledger.Standing{Serving: 240, Served: 1}, false}, // there are places for others
		{ledger.Standing{Serving: 240}, false},
		{ledger.Standing{Serving: 285}, true},
		{ledger.Standing{Serving: 285, Known: true}, true},
		{ledger.Standing{Serving: 285, Known: true, Trusted: true}, false},
		{ledger.Standing{Serving: 285, Served: 1}, false},
		{ledger.Standing{Serving: 300}, true},
		{ledger.Standing{Serving: 300, Served: 2}, true},
		{ledger.Standing{Serving: 300, Served: 3}, false}, // it has its share
		{ledger.Standing{Serving: 300, Conns: 50}, false},
		{ledger.Standing{Serving: 300, Wide: ledger.Wide{Served: 3}}, false},
		{ledger.Standing{Serving: 300, Wide: ledger.Wide{Conns: 50}}, false},
	} {
		f := decide.Facts{Standing: tt.Standing, Limits: decide.Limits{MaxSessions: 300,
			MaxWaiting: 1000,
			Reserve:    20, ClientConns: 50, Remember: time.Hour}}
		if got := f.WantsPlace(); got != tt.want {
			t.Errorf("%+v: %v", tt.Standing, got)
		}
	}
}

// A known client that is refused did not wait, so it is not known for longer.
func TestRefusedKnownIsForgotten(t *testing.T) {
	d := open(t, "", "max_sessions 10")
	s := d.NewSession(Connection{FD: -1, Client: netip.MustParseAddrPort("192.0.2.1:25")})
	network := d.Network(s.Client.Addr())
	err := d.Ledger.Run(func(tx *ledger.Tx) { tx.Remember(network, time.Second) })
	if err != nil || !s.Arrive() {
		t.Fatalf("%v, %v", err, s.Verdict)
	}
	s.facts().Known = true // as it was when it came, however long ago that is
	d.taken(t, 10, 0)
	if s.Conclude(decide.Quiet, 0); s.Verdict != decide.Busy {
		t.Fatalf("%v", s.Verdict)
	}
	lab.Eventually(t, "it is not known any more", func() bool {
		known := true
		_ = d.Ledger.Run(func(tx *ledger.Tx) {
			known = tx.Look(d.arrival(s.Client, &s.facts().Limits)).Known
		})
		return !known
	})
}

// The last quarter of the reserve is for known clients that have come back in several hours, or
// have delivered mail. The door notes when they come.
func TestLastPlaces(t *testing.T) {
	d := open(t, "", "max_sessions 100\nreserve 21%")
	friend, client := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1")
	for hours := 3; hours > 0; hours-- { // before anything else, since no ledger's time goes back
		past := ledger.Now().After(-time.Duration(hours) * time.Hour)
		if err := d.Ledger.Do(past, func(tx *ledger.Tx) {
			if hours == 3 {
				tx.Remember(d.Network(friend), 24*time.Hour)
			}
			tx.Visit(d.Network(friend), 24*time.Hour)
		}); err != nil {
			t.Fatal(err)
		}
	}
	d.from = client.String()
	known(d)
	d.taken(t, 93, 0)
	for n, step := range []struct {
		client netip.Addr
		want   decide.Verdict
	}{{friend, decide.Known}, {client, decide.Known}, {client, decide.Busy}, {friend,
		decide.Known}} {
		if s := d.crowdAt(t, []netip.Addr{step.client})[0]; s.Verdict != step.want {
			t.Errorf("with %d taken %v is %v; want %v", 93+n, step.client, s.Verdict, step.want)
		}
	}
}

// The line says which limit was reached, also where nothing is enforced.
func TestShareInTheLog(t *testing.T) {
	const narrow, wide = "192.0.2.1", "2001:db8:1:9::1"
	for _, tt := range []struct {
		name, conf, client string
		own                int // served of its network, or of others in its /48
		serving, waiting   int // of others
		want               string
	}{
		{"conns", "client_conns 1", narrow, 1, 0, 0, "CONNS | conns=1/1 reply=421"},
		{"share", "max_sessions 10\nreserve 0%", narrow, 3, 5, 0,
			"CONNS | serving=8/10 waiting=0/1000 conns=3/50 mta=3/3 reply=421"},
		{"wide share", "max_sessions 10\nreserve 0%", wide, 3, 5, 0, "CONNS | " +
			"network=2001:db8:1::/48 serving=8/10 waiting=0/1000 conns=3/50 mta=3/3 reply=421"},
		{"wide conns", "max_waiting 4\nclient_conns 3", wide, 3, 0, 3, "CONNS | " +
			"network=2001:db8:1::/48 serving=3/300 waiting=3/4 conns=3/3 reply=421"},
		{"reserve", "max_sessions 10", narrow, 1, 7, 0,
			"BUSY | reason=reserve serving=8/10 waiting=0/1000 reply=421"},
		{"full", "max_sessions 8", narrow, 1, 7, 0, "BUSY | serving=8/8 waiting=0/1000 reply=421"},
	} {
		for _, mode := range []string{"enforce", "observe"} {
			t.Run(tt.name+"/"+mode, func(t *testing.T) {
				d := open(t, "", "mode "+mode+"\n"+tt.conf)
				addr := netip.AddrPortFrom(netip.MustParseAddr(tt.client), 25)
				for n := range tt.own {
					serving(strings.Replace(tt.client, ":9:", fmt.Sprintf(":%d:", n), 1))(d)
				}
				d.taken(t, tt.serving, tt.waiting)
				s := d.NewSession(Connection{
					FD: -1, Client: addr, Server: netip.MustParseAddrPort("192.0.2.25:25"),
				})
				if s.Arrive() {
					t.Fatalf("%v", s.Verdict)
				}
				s.Account(0)
				ends := fmt.Sprintf("client=[%s]:25 server=[192.0.2.25]:25", tt.client)
				want := strings.Replace(tt.want, "|", ends, 1)
				if mode == "observe" {
					ends += " mode=observe"
					want = strings.Replace(strings.TrimSuffix(tt.want, " reply=421"), "|", ends, 1)
				}
				if line := d.line(t); line != want || s.Served() != (mode == "observe") {
					t.Errorf("served %v\n got %s\nwant %s", s.Served(), line, want)
				}
			})
		}
	}
}

// A room does not refuse a client that has passed and whose network has its share. The client waits
// for its turn until there is a place. If its time is over first, the refusal says why.
func TestShareInARoom(t *testing.T) {
	for _, tt := range []struct {
		conf string
		held int // by its network
		want decide.Verdict
		line string
	}{
		{"max_sessions 10\nreserve 0%", 3, decide.Conns,
			" serving=8/10 waiting=0/20000 conns=1/50 mta=3/3 "},
		{"max_sessions 10", 1, decide.Busy, " reason=reserve serving=8/10 "},
		{"max_sessions 8\nreserve 0%", 3, decide.Busy, " serving=8/8 "},
	} {
		d := open(t, "", "greet_delay 10ms\n"+tt.conf)
		d.Process.Shared, d.room = true, true
		s := d.NewSession(Connection{FD: -1, Client: netip.MustParseAddrPort("192.0.2.1:25")})
		if !s.Arrive() {
			t.Fatalf("%v", s.Verdict)
		}
		var held []*Session
		for range tt.held {
			one := d.NewSession(s.Connection)
			if one.Arrive() {
				one.Conclude(decide.Quiet, 0)
			}
			held = append(held, one)
		}
		d.taken(t, 8-tt.held, 0)
		for range 2 {
			if s.Admit(time.Second, time.Second) || s.Verdict != decide.Undecided {
				t.Errorf("%q: admitted: %v", tt.conf, s.Verdict)
			}
		}
		if n := d.totals(t); n.Waiting != 1 {
			t.Errorf("%q: %d wait", tt.conf, n.Waiting)
		}
		late := *s
		held[0].End()
		if !s.Admit(time.Second, time.Second) || s.Verdict != decide.Pass {
			t.Errorf("%q: with a place: %v", tt.conf, s.Verdict)
		}
		late.Expire(time.Second, time.Minute)
		late.Account(0)
		if line := d.line(t); late.Verdict != tt.want || !strings.Contains(line, tt.line) {
			t.Errorf("%q: %v, %s; want %v, %s", tt.conf, late.Verdict, line, tt.want, tt.line)
		}
	}
}
