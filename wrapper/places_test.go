package wrapper

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// crowdAt has clients arrive at once, wait to the end, and then be decided at once, each at a door
// of its own, like processes. It returns their sessions in order.
func (d *doorway) crowdAt(t *testing.T, clients []netip.Addr) []*Session {
	t.Helper()
	all := make([]*Session, len(clients))
	atOnce := func(do func(int)) {
		var start, done sync.WaitGroup
		start.Add(1)
		for i := range all {
			done.Go(func() { start.Wait(); do(i) })
		}
		start.Done()
		done.Wait()
	}
	for i := range all {
		door := &Door{Policy: d.Policy, Log: d.Log, Process: d.Process}
		door.OpenLedger()
		if !door.Ledger.IsOpen() {
			t.Fatal(d.line(t))
		}
		door.Ledger.CrowdPatience = lab.Patience
		t.Cleanup(func() { _ = door.Ledger.Close() })
		all[i] = door.NewSession(Connection{FD: -1, Client: netip.AddrPortFrom(clients[i], 25)})
	}
	waits := make([]bool, len(all))
	atOnce(func(i int) { waits[i] = all[i].Arrive() })
	atOnce(func(i int) {
		if waits[i] {
			all[i].Conclude(decide.Quiet, all[i].Delay())
		}
	})
	return all
}

// tally counts verdicts.
func tally(all []*Session) map[decide.Verdict]int {
	n := map[decide.Verdict]int{}
	for _, s := range all {
		n[s.Verdict]++
	}
	return n
}

// taken has other networks take this many places, and places to wait.
func (d *doorway) taken(t *testing.T, serving, waiting int) {
	t.Helper()
	for n := range serving + waiting {
		err := d.Ledger.Run(func(tx *ledger.Tx) {
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(n % 7)}), 25)
			s, _ := tx.Enter(d.arrival(client, &decide.Limits{}), d.Process)
			if n < serving {
				tx.Serve(s)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// clientsOf are clients of different networks, each of them several times: 192.0.2.1 and on, or the
// /64s of 2001:db8:1::/48.
func clientsOf(networks, each int, v6 bool) (all []netip.Addr) {
	for n := range networks * each {
		n := byte(n % networks)
		addr := netip.AddrFrom4([4]byte{192, 0, 2, 1 + n})
		if v6 {
			addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, 0, n, 15: 1})
		}
		all = append(all, addr)
	}
	return all
}

const manyPlaces = "greet_delay 10ms stress=10ms\nmax_sessions 2000\nmax_waiting 2000\n"

// However many clients of a network wait, exactly as many get an MTA as the network may have while
// this many places are taken.
func TestExactShare(t *testing.T) {
	for _, tt := range []struct {
		name, conf       string
		serving, waiting int
		networks, each   int
		v6, known        bool
		want             int // that are served
	}{
		{"few are taken", "", 1100, 0, 1, 60, false, false, 50},
		{"60 %", "", 1200, 0, 1, 60, false, false, 10},
		{"60 %, known", "", 1200, 0, 1, 60, false, true, 10},
		{"60 %, fewer conns", "client_conns 4", 1200, 0, 1, 60, false, false, 4},
		{"80 %", "reserve 0%", 1600, 0, 1, 60, false, false, 3},
		{"80 %, known", "", 1600, 0, 1, 60, false, true, 3},
		{"80 %, the reserve", "", 1600, 0, 1, 60, false, false, 1},
		{"80 %, a smaller reserve", "reserve 19%", 1600, 0, 1, 60, false, false, 3},
		{"30 %, a large reserve", "reserve 70%", 600, 0, 1, 60, false, false, 1},
		{"80 %, of networks each", "", 1600, 0, 20, 3, false, false, 20},
		{"a client line", "client 192.0.2.0/24 client_conns=55\nreserve 0%",
			1600, 0, 1, 60, false, false, 55},
		{"no limit", "client_conns 0\nreserve 0%", 1600, 0, 1, 60, false, false, 60},
		{"no limit, the reserve", "client_conns 0", 1600, 0, 1, 60, false, false, 1},
		{"allowed", "allow 192.0.2.0/24", 1990, 0, 1, 60, false, false, 60},

		{"/48, few are taken", "", 1000, 0, 60, 1, true, false, 60},
		{"/48, 60 %", "", 1200, 0, 60, 1, true, false, 10},
		{"/48, 80 %", "", 1600, 0, 60, 1, true, false, 1},
		{"/48, 80 %, known", "", 1600, 0, 60, 1, true, true, 3},
		{"/48, 80 %, a client line", "client 2001:db8:1::/48 client_conns=1\nreserve 0%",
			1600, 0, 60, 1, true, false, 60},
		{"/48, 80 %, no limit", "client_conns 0\nreserve 0%", 1600, 0, 60, 1, true, false, 60},
		{"/48, places to wait", "", 0, 1199, 60, 1, true, false, 50},
		{"/48, enough places to wait", "", 0, 1100, 60, 1, true, false, 60},
		{"/48, places to wait, known", "", 0, 1199, 60, 1, true, true, 60},
		{"/48, counted as wide", "count_by 32 48", 1200, 0, 60, 1, true, false, 10},
		{"/48, counted by address", "count_by 32 128", 1200, 0, 60, 1, true, false, 10},
		{"/48, a translator's", "nat64 2001:db8:1::/48", 1200, 0, 60, 1, true, false, 60},
	} {
		t.Run(strings.NewReplacer(" ", "_", "/", "").Replace(tt.name), func(t *testing.T) {
			d := open(t, "", manyPlaces+tt.conf)
			d.taken(t, tt.serving, tt.waiting)
			clients := clientsOf(tt.networks, tt.each, tt.v6)
			if tt.known {
				for _, c := range clients {
					d.from = c.String()
					known(d)
				}
			}
			all := d.crowdAt(t, clients)
			served := 0
			for _, s := range all {
				if s.Served() {
					served++
				}
			}
			if served != tt.want {
				t.Errorf("%d served; want %d: %v", served, tt.want, tally(all))
			}
			n := d.totals(t)
			if all[0].Verdict == decide.Allowed { // in a crowd such a one is served uncounted
				n.Serving = tt.serving + served
			}
			if n.Serving != tt.serving+served || n.Waiting != tt.waiting {
				t.Errorf("the ledger: %d served, %d wait", n.Serving, n.Waiting)
			}
		})
	}
}
