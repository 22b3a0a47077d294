package room

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// oneTurn is the next MTA to be started.
func (h *house) oneTurn() job {
	h.t.Helper()
	h.nextTurns()
	h.admit()
	h.noTurns()
	if h.mtas.starting != 1 {
		h.t.Fatalf("%d are started", h.mtas.starting)
	}
	return <-h.mtas.jobs
}

func (j job) from() string { return j.client.session.Client.Addr().String() }

// starts are the next so many that get an MTA, in their order. None of them ends.
func (h *house) starts(n int) (from []string) {
	h.t.Helper()
	for range n {
		from = append(from, h.oneTurn().from())
		h.mtas.starting--
	}
	return from
}

// waitFor has so many wait for their turn, which does not come.
func (h *house) waitFor(n int) {
	h.t.Helper()
	h.noTurns()
	h.until("they wait for their turn", func() bool { return h.turns.len == n })
}

// Two hosts with fifty clients each have their turns alternately, in the order in which their
// clients came.
func TestTwoHosts(t *testing.T) {
	const each = 50
	h := build(t, "greet_delay 0s\nspawn_rate 1\n")
	h.noTurns()
	hosts := []string{"127.9.1.1", "127.9.2.1"}
	for n, host := range hosts {
		for range each {
			h.guest(host)
		}
		h.waitFor((n + 1) * each)
	}
	for i, from := range h.starts(2 * each) {
		if want := hosts[i%2]; from != want {
			t.Fatalf("start %d is of %s; want %s", i, from, want)
		}
	}
}

// A known client and a newcomer of another network are the next two that get an MTA, whatever crowd
// of a wider network waits: also in the program that takes over.
func TestBeforeTheCrowd(t *testing.T) {
	const networks, each = 150, 2
	h := build(t, "greet_delay 0s\nclient_conns 0\nspawn_rate 1\n")
	h.noTurns()
	crowd := netip.MustParsePrefix("127.9.0.0/24")
	for range each {
		h.guests(networks)
	}
	h.waitFor(networks * each)
	for range 3 {
		j := h.oneTurn()
		if h.started(j, child(t, true), nil); !crowd.Contains(netip.MustParseAddr(j.from())) {
			t.Fatalf("%s is started", j.from())
		}
	}
	h.guest("127.8.0.1")
	h.waitFor(networks*each - 2)
	h.remember("127.7.0.1")
	h.guest("127.7.0.1")
	h.waitFor(networks*each - 1)
	h.takeOver()
	if from := h.starts(2); from[0] != "127.7.0.1" || from[1] != "127.8.0.1" {
		t.Errorf("the next two are %q; want the known client, and the newcomer", from)
	}
	seen := map[string]int{}
	for _, from := range h.starts(networks) {
		seen[from]++
	}
	if len(seen) < networks-3 {
		t.Errorf("%d starts are of %d networks", networks, len(seen))
	}
}

// remember has an address be known from now on.
func (h *house) remember(from string) {
	h.t.Helper()
	if err := h.door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		t.Remember(h.door.Network(netip.MustParseAddr(from)), time.Hour)
	}); err != nil {
		h.t.Fatal(err)
	}
}

// sessionsMost is another max_sessions, as if the configuration had been read anew.
func (h *house) sessionsMost(n int) {
	c := *h.door.Config
	c.MaxSessions = n
	h.door.Config = &c
}

// The same where all sessions are taken, by MTAs of the crowd that stay: each that ends makes place
// for the next.
func TestBeforeTheCrowdWhenFull(t *testing.T) {
	const most, networks, each = 3, 150, 2
	h := build(t, fmt.Sprintf(
		"greet_delay 0s\nclient_conns 0\nspawn_rate 10000\nmax_sessions %d\n", most))
	h.begin()
	h.remember("127.7.0.1")
	h.noTurns()
	ends := map[string]*net.TCPConn{}
	for range each {
		for _, c := range h.guests(networks) {
			ends[c.LocalAddr().String()] = c
		}
	}
	h.waitFor(networks * each)
	h.mtas.retry = 0
	served := func(n int) []string {
		t.Helper()
		h.until("the MTAs of some run", func() bool {
			return h.logged("PASS client=")+h.logged("KNOWN client=") >= n && len(h.mtas.running) == most
		})
		return slices.DeleteFunc(slices.Clone(h.lines), func(line string) bool {
			return !strings.HasPrefix(line, "PASS ") && !strings.HasPrefix(line, "KNOWN ")
		})
	}
	served(most)
	h.sessionsMost(most + 2) // or they would be BUSY when they come
	h.noTurns()
	h.guest("127.8.0.1")
	h.waitFor(networks*each - most + 1)
	h.guest("127.7.0.1")
	h.waitFor(networks*each - most + 2)
	h.sessionsMost(most)
	h.mtas.retry = 0
	for n, want := range []string{
		"KNOWN client=[127.7.0.1]", "PASS client=[127.8.0.1]", "PASS client=[127.9.0.",
	} {
		for _, c := range h.mtas.running {
			if end := ends[c.session.Client.String()]; end != nil {
				end.Close()
				break
			}
		}
		lines := served(most + n + 1)
		if got := lines[most+n]; !strings.HasPrefix(got, want) || len(lines) > most+n+1 {
			t.Errorf("next is %q, of %d; want %s", got, len(lines)-most, want)
		}
	}
}

// Where as many sessions as may be are others', all who wait are told no: few at a time, and the
// loop sleeps meanwhile. When one of these ends, it is somebody's turn.
func TestTurnsToldNo(t *testing.T) {
	const networks = 4 * mostTold
	h := build(t, "greet_delay 0s\nspawn_rate 1000\nmax_sessions 1\n")
	h.noTurns()
	h.guests(networks)
	h.waitFor(networks)
	others, err := ledger.Identify(child(t, true))
	if err != nil {
		t.Fatal(err)
	}
	var served ledger.Session
	inLedger := func(work func(*ledger.Tx)) {
		t.Helper()
		if err := h.door.Ledger.Do(ledger.Now(), work); err != nil {
			t.Fatal(err)
		}
	}
	inLedger(func(tx *ledger.Tx) {
		served, _ = tx.Enter(ledger.Arrival{Client: netip.MustParseAddrPort("192.0.2.1:25"),
			Network: netip.MustParsePrefix("192.0.2.1/32")}, others)
		tx.Serve(served)
	})
	h.mtas.retry = 0
	h.tickAt, h.barring.lookAt = h.now+time.Minute, h.now+time.Minute
	for n := 1; n < networks/mostTold; n++ {
		h.admit()
		h.admit()
		if len(h.turns.aside) != n*mostTold || h.mtas.numbered > 0 {
			t.Errorf("%d are told no, %d started", len(h.turns.aside), h.mtas.numbered)
		}
		if p := h.pause(); p != retryTurn {
			t.Errorf("the loop sleeps for %v; want %v", p, retryTurn)
		}
		h.now += retryTurn
	}
	inLedger(func(tx *ledger.Tx) { tx.Leave(served) })
	h.until("one of them is started", func() bool { return h.mtas.numbered > 0 })
	if h.round(); h.mtas.numbered != 1 || h.turns.len != networks-1 {
		t.Errorf("%d are started, %d wait", h.mtas.numbered, h.turns.len)
	}
}

// When more wait than a second suffices for, starts come evenly.
func TestTurnsEvenly(t *testing.T) {
	const rate = 100
	h := build(t, fmt.Sprintf("greet_delay 0s\nspawn_rate %d\n", rate))
	h.noTurns()
	h.guests(rate + 5)
	h.waitFor(rate + 5)
	h.mtas.retry = 0
	if h.admit(); h.mtas.numbered != rate/parts {
		t.Errorf("%d are started at once; want %d", h.mtas.numbered, rate/parts)
	}
	if p := h.pause(); p > time.Second/parts {
		t.Errorf("the next start is in %v; want %v at most", p, time.Second/parts)
	}
	for h.turns.len >= rate {
		h.turns.first.leave()
	}
	if h.admit(); h.mtas.numbered != maxStarting {
		t.Errorf("%d are started then; want %d", h.mtas.numbered, maxStarting)
	}
}

// Nothing is left of a network whose clients are gone, whatever has become of them.
func TestTurnsForget(t *testing.T) {
	h := build(t, "greet_delay 0s\n")
	h.begin()
	left := h.guest("127.9.0.1")
	h.until("one has its MTA", func() bool { return len(h.mtas.running) == 1 })
	left.Close()
	h.until("that has ended", func() bool { return !h.busy() })
	if err := os.Remove(h.file("mta")); err != nil {
		t.Fatal(err)
	}
	failed := h.guest("127.9.0.3")
	h.until("one fails", func() bool { return h.logged("FAILED client=[127.9.0.3]") == 1 })
	failed.Close()
	h.noTurns()
	h.guest("127.9.0.4")
	h.waitFor(1)
	h.block("127.9.0.4/32")
	h.mtas.retry = 0
	h.until("one is blocked", func() bool {
		return h.logged("BLOCKED client=[127.9.0.4]") == 1 && !h.busy()
	})
	for prefix := range h.turns.networks {
		if prefix.Contains(netip.MustParseAddr("127.9.0.4")) {
			t.Errorf("%v has had an MTA", prefix)
		}
	}
	h.turns.begin(h.now + servedTime)
	if n := len(h.turns.networks) + len(h.turns.wider); n > 0 {
		t.Errorf("%d networks are left", n)
	}
}
