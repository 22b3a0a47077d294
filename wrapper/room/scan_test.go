package room

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// elsewhere opens the ledger as another process would.
func (h *house) elsewhere() *ledger.Ledger {
	h.t.Helper()
	l, _, err := ledger.Open(h.file("state/ledger"), 1024, ledger.ThisBoot())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = l.Close() })
	return l
}

// block begins blocks as another process would.
func (h *house) block(networks ...string) {
	h.t.Helper()
	l := h.elsewhere()
	for _, text := range networks {
		err := l.Do(ledger.Now(), func(t *ledger.Tx) {
			if t.Block(netip.MustParsePrefix(text), time.Hour, "test",
				ledger.Penalty{For: time.Hour, Max: time.Hour}) == 0 {
				h.t.Errorf("no room for a block of %s", text)
			}
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// look makes the room look for new blocks now, and runs rounds until the scan is over.
func (h *house) look() {
	h.t.Helper()
	b := &h.scan
	b.lookAt = 0
	h.until("it has looked", func() bool { return b.lookAt > 0 && b.left == 0 })
}

// Waiting clients are refused as soon as their network is blocked, and no other client is.
func TestScan(t *testing.T) {
	const conf = slow + "client 127.7.0.0/16 greet_delay=0s\nclient_conns 0\nallow 127.8.0.9\n"
	h := build(t, conf)
	first := h.guest("127.7.1.1")
	h.until("one gets its MTA", func() bool { return h.mtas.jobCount == 1 })
	h.noTurns()
	blocked := h.guest("127.8.0.1")
	inTurn := h.guest("127.7.1.2")
	other, inTurn2 := h.guest("127.6.0.1"), h.guest("127.7.2.1")
	h.until("all wait", func() bool { return h.held == 5 && h.turns.len == 2 })
	h.look() // there is nothing
	h.block("127.8.0.0/24", "127.7.1.2/32", "127.7.1.1/32", "192.0.2.0/24")
	h.until("they are refused", func() bool { return h.refused == 2 })
	expect(t, blocked, "421 4.7.1 ")
	expect(t, inTurn, "421 4.7.1 ")
	if h.logged("BLOCKED client=[127.8.0.1]", "network=127.8.0.0/24",
		"wait=", "/4m50s", "reason=test", "reply=421") != 1 ||
		h.logged("BLOCKED client=[127.7.1.2]", "network=127.7.1.2/32", "turn=") != 1 ||
		h.logged("BLOCKED") != 2 {
		t.Errorf("log: %q", h.lines)
	}
	h.look()
	if h.refused != 2 || h.turns.len != 1 || h.mtas.jobCount != 1 {
		t.Errorf("%d are refused", h.refused)
	}
	h.until("their connections are closed", func() bool { return h.draining.len == 0 })
	if n := len(h.sessions()); n != 3 {
		t.Errorf("%d sessions; want those of the three others", n)
	}

	// A client that reads its reply does not get another one.
	early := h.guest("127.6.0.2")
	_, _ = early.Write([]byte("EHLO bot\r\n"))
	h.until("it is refused", func() bool { return h.draining.len == 1 })
	h.block("127.6.0.2/32")
	h.look()
	if h.logged("PREGREET client=[127.6.0.2]") != 1 || h.logged("client=[127.6.0.2]") != 1 {
		t.Errorf("log: %q", h.lines)
	}
	if counted := h.counts(); counted["BLOCKED"] != 2 || counted["PASS"] > 2 {
		t.Errorf("counted %v", counted)
	}
	first.Close()
	other.Close()
	inTurn2.Close()
}

// counts returns the verdicts so far.
func (h *house) counts() map[string]uint64 {
	h.t.Helper()
	counted := map[string]uint64{}
	if err := h.door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		totals := t.Totals()
		for _, v := range decide.Verdicts() {
			counted[v.String()] = totals.Verdicts[v]
		}
	}); err != nil {
		h.t.Fatal(err)
	}
	return counted
}

// These clients wait on.
func TestNotBlocked(t *testing.T) {
	const conf = slow + "client_conns 0\n"
	for _, tt := range []struct {
		name, conf string
		begin      func(h *house)
	}{
		{"the block is over at once", conf, func(h *house) {
			h.block("127.8.0.0/24")
			if freed, err := h.elsewhere().Unblock(ledger.Now(),
				netip.MustParsePrefix("127.8.0.0/24")); err != nil || len(freed) != 1 {
				h.t.Fatal(freed, err)
			}
		}},
		{"sessions do not end", conf + "block kill=off\n",
			func(h *house) { h.block("127.8.0.0/24") }},
		{"nothing is enforced", conf + "mode observe\n",
			func(h *house) { h.block("127.8.0.0/24") }},
		{"another network", conf,
			func(h *house) { h.block("127.8.1.0/24", "127.8.0.2/32", "::/64") }},
	} {
		h := build(t, tt.conf)
		h.guest("127.8.0.1")
		h.until("it waits", func() bool { return h.held == 1 })
		h.look()
		tt.begin(h)
		h.look()
		if h.refused > 0 || h.held != 1 || h.mtas.jobCount > 0 || h.logged("client=") > 0 ||
			len(h.sessions()) != 1 {
			t.Errorf("%s: %d refused, %d held; log: %q", tt.name, h.refused, h.held, h.lines)
		}
		for v, n := range h.counts() {
			if n > 0 {
				t.Errorf("%s: %s is counted", tt.name, v)
			}
		}
	}
}

// A client whose block ended before the room looked passes at the end of its delay, and not before.
func TestPassesAfterBlock(t *testing.T) {
	h := build(t, slow)
	h.guest("127.8.0.1")
	h.until("it waits", func() bool { return h.held == 1 })
	h.block("127.8.0.0/24")
	if _, err := h.elsewhere().Unblock(ledger.Now(),
		netip.MustParsePrefix("127.8.0.0/24")); err != nil {
		t.Fatal(err)
	}
	if h.look(); h.held != 1 || h.mtas.jobCount > 0 {
		t.Errorf("%d held, %d have passed before their time is over", h.held, h.mtas.jobCount)
	}
	for _, q := range h.delays {
		later(q, longDelay)
	}
	h.until("it passes", func() bool { return h.mtas.jobCount == 1 })
}

// If there are more new blocks than the ledger can name, all waiting clients are checked. The same
// holds for another ledger, and after a handover.
func TestScanAll(t *testing.T) {
	many := []string{"127.8.0.0/24"}
	for i := range 100 {
		many = append(many, fmt.Sprintf("192.0.2.%d/32", i))
	}
	for _, tt := range []struct {
		name  string
		begin func(h *house)
	}{
		{"many blocks", func(h *house) { h.block(many...) }},
		{"another ledger", func(h *house) {
			if err := os.Rename(h.file("state/ledger"), h.file("state/old")); err != nil {
				h.t.Fatal(err)
			}
			h.block("127.8.0.0/24")
		}},
		{"another program", func(h *house) {
			h.block("127.8.0.0/24")
			h.scan = scan{}
		}},
	} {
		h := build(t, slow+"client_conns 0\n")
		blocked := h.guest("127.8.0.1")
		h.guest("127.8.1.1")
		h.until("both wait", func() bool { return h.held == 2 })
		h.look()
		h.block("203.0.113.0/24") // the number is no longer 0
		h.look()
		tt.begin(h)
		h.until(tt.name+": one is refused", func() bool { return h.refused == 1 })
		expect(t, blocked, "421 4.7.1 ")
		h.look()
		if h.refused != 1 || h.logged("BLOCKED client=[127.8.0.1]") != 1 || h.scan.left != 0 {
			t.Errorf("%s: %d are refused; log: %q", tt.name, h.refused, h.lines)
		}
	}
}

// A scan of thousands of waiting clients does not delay the loop, and refuses all blocked ones.
func TestScanCrowd(t *testing.T) {
	const clients = 2000 // whose descriptors are below 5,000
	h := build(t, slow+"client_conns 0\nmax_waiting 100000\ncount_by 16 64\n")
	h.appear(clients)
	// rounds runs rounds until the condition holds. It returns how many clients one round has
	// refused and looked at, at most.
	rounds := func(until func() bool) (refused, looked int) {
		for deadline := time.Now().Add(5 * lab.Patience); !until(); {
			if time.Now().After(deadline) {
				t.Fatalf("%d are refused, %d yet to be looked at", h.refused, h.scan.left)
			}
			before, left := h.refused, h.scan.left
			h.now = h.clock.now()
			h.scanWaiting()
			refused, looked = max(refused, h.refused-before), max(looked, left-h.scan.left)
			h.now = h.clock.now()
			h.expire()
			h.said()
		}
		return refused, looked
	}
	h.look()
	again := func() {
		h.now = h.clock.now()
		h.lookForBlocks()
	}

	h.blockIn("192.0.2.0/24")
	again()
	_, looked := rounds(func() bool { return h.scan.left == 0 })
	if h.refused != 0 || looked != scanMost { // the ledger is not asked about any
		t.Errorf("%d are refused, %d looked at in one round", h.refused, looked)
	}
	h.scan.blocks = 1 << 40 // of another ledger
	again()
	_, looked = rounds(func() bool { return h.scan.left == 0 })
	others := len(h.clients) - 2*clients // descriptors: every second is a client's other end
	if h.refused != 0 || looked > 2*askMost+others {
		t.Errorf("%d are refused, %d looked at in one round", h.refused, looked)
	}
	h.blockIn("127.9.0.0/16")
	again()
	refused, _ := rounds(func() bool { return h.refused == clients })
	if refused > decideMost {
		t.Errorf("%d are refused in one round", refused)
	}
	if n := h.counts()["BLOCKED"]; n != clients {
		t.Errorf("%d are counted", n)
	}
}

// blockIn begins a block in the room's own ledger.
func (h *house) blockIn(network string) {
	h.t.Helper()
	if err := h.door.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		if t.Block(netip.MustParsePrefix(network), time.Hour, "test",
			ledger.Penalty{For: time.Hour, Max: time.Hour}) == 0 {
			h.t.Errorf("no room for a block of %s", network)
		}
	}); err != nil {
		h.t.Fatal(err)
	}
}
