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
	"sendwrap/wrapper/policy"
)

// oneTurn returns the next MTA to be started.
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

// starts returns the next n clients that get an MTA, in order. None of their MTAs ends.
func (h *house) starts(n int) (from []string) {
	h.t.Helper()
	for range n {
		from = append(from, h.oneTurn().from())
		h.mtas.starting--
	}
	return from
}

// waitFor lets n clients wait for their turn, which does not come.
func (h *house) waitFor(n int) {
	h.t.Helper()
	h.noTurns()
	h.until("they wait for their turn", func() bool { return h.turns.len == n })
}

// Two hosts with fifty clients each take turns, and the clients of each are served in their order.
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

// A known client and a newcomer of another network are the next two to get an MTA, however large
// the waiting crowd of a wide network is. The same holds after a handover.
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
		if h.mtaStarted(j, child(t, true), nil); !crowd.Contains(netip.MustParseAddr(j.from())) {
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

// remember makes an address known.
func (h *house) remember(from string) {
	h.t.Helper()
	if err := h.door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		t.Remember(h.door.Network(netip.MustParseAddr(from)), time.Hour)
	}); err != nil {
		h.t.Fatal(err)
	}
}

// sessionsMost sets max_sessions, as a reload would.
func (h *house) sessionsMost(n int) {
	s := *h.door.Policy.Settings
	s.MaxSessions = n
	h.door.Policy = &policy.Policy{Settings: &s, Rules: h.door.Policy.Rules}
}

// The same if MTAs of the crowd have all places: each place that becomes free goes to the next.
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
			return h.logged("PASS client=")+h.logged("KNOWN client=") >= n &&
				len(h.mtas.running) == most
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

// If other processes have all places, every waiting network is set aside, a few at a time, and the
// loop sleeps in between. When one of those sessions ends, a client has its turn.
func TestTurnsRefused(t *testing.T) {
	const networks = 4 * maxRefusals
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
	h.nextSecond, h.scan.lookAt = h.now+time.Minute, h.now+time.Minute
	h.now += retryTurn // none was refused within it
	for n := 1; n < networks/maxRefusals; n++ {
		h.admit()
		h.admit()
		if len(h.turns.aside) != n*maxRefusals || h.mtas.jobCount > 0 {
			t.Errorf("%d are set aside, %d started", len(h.turns.aside), h.mtas.jobCount)
		}
		if p := h.pause(); p != retryTurn {
			t.Errorf("the loop sleeps for %v; want %v", p, retryTurn)
		}
		h.now += retryTurn
	}
	inLedger(func(tx *ledger.Tx) { tx.Leave(served) })
	h.until("one of them is started", func() bool { return h.mtas.jobCount > 0 })
	if h.round(); h.mtas.jobCount != 1 || h.turns.len != networks-1 {
		t.Errorf("%d are started, %d wait", h.mtas.jobCount, h.turns.len)
	}
}

// If more clients wait than one second can serve, starts are spread evenly.
func TestTurnsEvenly(t *testing.T) {
	const rate = 100
	h := build(t, fmt.Sprintf("greet_delay 0s\nspawn_rate %d\n", rate))
	h.noTurns()
	h.guests(rate + 5)
	h.waitFor(rate + 5)
	h.mtas.retry = 0
	if h.admit(); h.mtas.jobCount != rate/crowdParts {
		t.Errorf("%d are started at once; want %d", h.mtas.jobCount, rate/crowdParts)
	}
	if p := h.pause(); p > time.Second/crowdParts {
		t.Errorf("the next start is in %v; want %v at most", p, time.Second/crowdParts)
	}
	for h.turns.len >= rate {
		h.turns.first.leave()
	}
	if h.admit(); h.mtas.jobCount != maxStarting {
		t.Errorf("%d are started then; want %d", h.mtas.jobCount, maxStarting)
	}
}

// Nothing is left of a network when its clients are gone, however they went.
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
	h.turns.beginRound(h.now + servedTime)
	if n := len(h.turns.networks) + len(h.turns.wide); n > 0 {
		t.Errorf("%d networks are left", n)
	}
}
