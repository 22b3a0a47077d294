package share

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// hears has the member hear an event of the stream.
func (m *member) hears(t *testing.T, e Event) {
	t.Helper()
	m.hear(t.Context(), string(e.Append(nil)), false)
}

// about is an event of mx2 about a network, now.
func about(kind ledger.OutboxKind, network string) Event {
	e := event("mx2", network, 0, 0)
	if e.Kind = kind; kind == ledger.OutboxKnown {
		e.Till = e.At + time.Hour.Milliseconds()
	}
	return e
}

// known reports whether the ledger knows the client, rcpts how many it has counted.
func (m *member) known(t *testing.T, addr string) (known bool) {
	t.Helper()
	a := netip.MustParseAddr(addr)
	m.do(t, func(tx *ledger.Tx) {
		known = tx.Look(ledger.Arrival{Client: netip.AddrPortFrom(a, 25),
			Network: netip.PrefixFrom(a, 32)}).Known
	})
	return known
}

func (m *member) rcpts(t *testing.T, network string) (bad int) {
	t.Helper()
	m.do(t, func(tx *ledger.Tx) {
		bad = tx.Rcpts(netip.MustParsePrefix(network), time.Hour).Bad
	})
	return bad
}

func (m *member) do(t *testing.T, work func(*ledger.Tx)) {
	t.Helper()
	if err := m.ledger.Run(work); err != nil {
		t.Fatal(err)
	}
}

// blocks has this machine block a network for an hour.
func (m *member) blocks(t *testing.T, network string) {
	t.Helper()
	m.do(t, func(tx *ledger.Tx) {
		tx.BlockForProgram(netip.MustParsePrefix(network), time.Hour, "x",
			ledger.Penalty{Max: ledger.MaxBlock})
	})
}

// Clients and recipients that are counted by other widths elsewhere are refused, and recipients of
// long ago are not counted.
func TestOtherWidths(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "bad_rcpts_total 10/1h")
	m.hears(t, about(ledger.OutboxKnown, "198.18.0.1/32"))
	rcpts := about(ledger.OutboxRcpts, "198.18.0.1/32")
	rcpts.Bad = 3
	m.hears(t, rcpts)
	long := rcpts
	long.At, long.Number = long.At-2*time.Hour.Milliseconds(), long.Number+1
	m.hears(t, long)
	for _, kind := range []ledger.OutboxKind{ledger.OutboxKnown, ledger.OutboxRcpts} {
		m.hears(t, about(kind, "198.18.1.0/24"))
	}
	s, err := m.ledger.Sharing(ledger.Now())
	if bad := m.rcpts(t, "198.18.0.1/32"); !m.known(t, "198.18.0.1") || bad != 3 || err != nil ||
		len(s.Origins) != 1 || s.Origins[0].Refused != 2 {
		t.Errorf("%d recipients, %+v, %v; want three, a known client, and two refused events", bad,
			s.Origins, err)
	}
	m = startMember(t, filepath.Join(t.TempDir(), "ledger"), "remember 0s")
	if m.hears(t, about(ledger.OutboxKnown, "198.18.0.1/32")); m.known(t, "198.18.0.1") {
		t.Error("a client is known where none is remembered")
	}
}

// Anybody can have written what this machine finds of its own in the state: share_limit holds for
// it, and recipients do not count. What it reads of its own in the stream changes nothing. After a
// refused block the state is read, when the limit's time is over.
func TestOwnWordsAndLimit(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"),
		"share_limit 2/10m\nbad_rcpts_total 10/1h")
	m.hears(t, event("mx1", "198.18.0.9/32", 0, time.Hour))
	rcpts := about(ledger.OutboxRcpts, "198.18.0.1/32")
	rcpts.Origin, rcpts.Bad = "mx1", 9
	m.hear(t.Context(), string(rcpts.Append(nil)), true)
	m.says(t, "mx1", "198.18.0.1/32", 0, time.Hour)
	m.says(t, "mx2", "198.18.0.2/32", 0, time.Hour)
	m.says(t, "mx1", "198.18.0.3/32", 0, time.Hour)
	before := time.Now()
	m.syncAt = before.Add(24 * time.Hour)
	m.says(t, "mx2", "198.18.0.4/32", 0, time.Hour)
	if first := before.Add(10 * time.Minute); m.syncAt.Before(first) ||
		m.syncAt.Add(-10*time.Minute).After(time.Now()) {
		t.Errorf("the state is read in %v; want 10 min", m.syncAt.Sub(before))
	}
	checkLeft(t, m, map[string]time.Duration{"198.18.0.1/32": time.Hour,
		"198.18.0.2/32": time.Hour})
	s, err := m.ledger.Sharing(ledger.Now())
	if bad := m.rcpts(t, "198.18.0.1/32"); bad != 0 || err != nil || s.Refused != 1 ||
		len(s.Origins) != 1 || s.Origins[0].Refused != 1 {
		t.Errorf("%d recipients, %+v, %v; want none, a refused event, and one of mx2", bad, s, err)
	}
}

// However many blocks come from elsewhere, max_entries holds, and that ends no block of the others.
func TestBlocksOfOthersAreBounded(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "block max_entries=2")
	for _, network := range []string{"198.18.0.1/32", "198.18.0.2/32", "198.18.0.3/32"} {
		m.says(t, "mx2", network, 0, time.Hour)
	}
	lab.Eventually(t, "one block too many ends", func() bool { return len(blocksLeft(t, m)) == 2 })
	if s, err := m.ledger.Sharing(ledger.Now()); s.Waiting != 0 || err != nil {
		t.Errorf("the others get %d events, %v; want none", s.Waiting, err)
	}
}

// After a start a machine takes its own blocks for its words, those of others not. An end that it
// has sent is no word if there is a later one.
func TestRecalledWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	m := startMember(t, path, "")
	m.blocks(t, "198.18.0.1/32")
	m.blocks(t, "198.18.0.2/32")
	m.do(t, func(tx *ledger.Tx) {
		tx.UnblockForProgram(netip.MustParsePrefix("198.18.0.2/32"))
		tx.NoteSent(tx.LastEvent(), 0)
	})
	m.says(t, "mx2", "198.18.0.3/32", 0, time.Hour)
	m = startMember(t, path, "")
	if own := m.words.Unstated("mx1"); len(own) != 1 ||
		own[0].Network.String() != "198.18.0.1/32" {
		t.Errorf("%+v; want the own block", own)
	}
	m.says(t, "mx2", "198.18.0.2/32", 0, time.Hour)
	m.recallEnds()
	if last := m.words.Last(netip.MustParsePrefix("198.18.0.2/32")); last.Origin != "mx2" {
		t.Errorf("%+v; want the word of mx2", last)
	}
}

// Of all ends that the outbox has, the last about a network is taken for a word.
func TestRecalledEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	m := startMember(t, path, "")
	ended := netip.MustParsePrefix("198.18.0.2/32")
	last := uint64(0)
	for range 2 {
		for range 2 {
			m.blocks(t, ended.String())
			m.do(t, func(tx *ledger.Tx) { tx.UnblockForProgram(ended); last = tx.LastEvent() })
		}
		for range 2 * sendAtOnce {
			m.do(t, func(tx *ledger.Tx) {
				tx.Remember(netip.MustParsePrefix("198.18.0.1/32"), time.Hour)
			})
		}
	}
	m.do(t, func(tx *ledger.Tx) { tx.NoteSent(tx.LastEvent(), 0) })
	m = startMember(t, path, "")
	m.recallEnds()
	if e := m.words.Last(ended); e.Kind != ledger.OutboxUnblock || e.Number != last {
		t.Errorf("%+v; want the end that was event %d", e, last)
	}
}

// The engine gets again only what is still the last word, and runs.
func TestSentAgain(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	courier := m.withCourier(t)
	m.connected, m.syncAt = true, time.Now().Add(time.Hour)
	holds, over := event("mx1", "198.18.0.1/32", 0, time.Hour),
		event("mx1", "198.18.0.2/32", 2*time.Hour, time.Hour)
	passed := event("mx1", "198.18.0.3/32", time.Hour, 2*time.Hour)
	for _, e := range []Event{holds, over, passed} {
		m.words.Applied(e, 0)
		m.unstated = append(m.unstated, e)
	}
	m.says(t, "mx2", "198.18.0.3/32", 0, 0)
	m.send(t.Context())
	lines := m.checkAsked(t, courier, wire.Send)
	if len(lines) != 2 || !strings.Contains(lines[1], "198.18.0.1/32") {
		t.Errorf("the engine gets %q; want the block that runs", lines)
	}
	m.take(t.Context(), packet{wire.Sent, []string{"12345"}}) // of another packet
	if len(m.unstated) != 3 {
		t.Error("what is under way is taken for sent")
	}
	m.take(t.Context(), packet{wire.Sent, lines[:1]})
	m.checkAsked(t, courier)
	end := event("mx1", "198.18.0.4/32", 0, 0)
	if line := m.line(t.Context(), &end); !strings.Contains(line, " 2678400000 ") {
		t.Errorf("%q; want the end of a block to be kept for 31 days", line)
	}
}

// A time that cannot be is not believed. One that differs by less than a second changes nothing.
func TestClockIsKept(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	clock := m.clock
	for _, wrong := range []string{"x", "", "-1", "0", "99999999999999999"} {
		if m.setClock(t.Context(), wrong); m.clock != clock {
			t.Errorf("the clock follows %q", wrong)
		}
	}
	kept := false
	for range 100 { // a machine may stand still for more than a second
		clock = m.clock
		m.setClock(t.Context(), number(uint64(m.engineTime()+500)))
		kept = kept || m.clock == clock
	}
	if !kept {
		t.Error("the clock follows each answer of the engine")
	}
}

// The file of the password may be no link: its owner could name any file of root's.
func TestPasswordIsNoLink(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "link")
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", name); err != nil {
		t.Fatal(err)
	}
	m := startMember(t, filepath.Join(dir, "ledger"), "")
	m.cfg.Share.Password = name
	if _, err := settingsOf(m.cfg); err == nil {
		t.Error("a link is followed")
	}
}
