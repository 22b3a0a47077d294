package share

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// withCourier gives the member a courier that says what this test does. It returns the other end.
func (m *member) withCourier(t *testing.T) *wire.Conn {
	t.Helper()
	own, others, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := wire.Take(others)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close(); _ = theirs.Close() })
	m.courier = &process{conn: own}
	now := time.Now().Add(engineAhead).UnixMilli()
	m.take(t.Context(), packet{wire.Up, []string{"Valkey 8", strconv.FormatInt(now, 10)}})
	return theirs
}

// checkAsked wants the member to have asked the courier for this, and for nothing else. It returns
// the lines of the last.
func (m *member) checkAsked(t *testing.T, courier *wire.Conn, verbs ...string) (lines []string) {
	t.Helper()
	m.tell("end") // what was said before comes first
	for {
		verb, l, err := courier.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if verb == "end" {
			break
		}
		if len(verbs) == 0 || verbs[0] != verb {
			t.Fatalf("the courier gets %q; want %q", verb, verbs)
		}
		verbs, lines = verbs[1:], l
	}
	if len(verbs) > 0 {
		t.Fatalf("the courier does not get %q", verbs)
	}
	return lines
}

// Every hour, and no sooner, a member reads the whole state. So it learns of a block that never
// came by the stream, and the engine has again what it has lost of the member's own words.
func TestStateIsReadEveryHour(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	m.blocks(t, "198.18.0.9/32")
	courier := m.withCourier(t)
	m.send(t.Context())
	sent := m.checkAsked(t, courier, wire.Send)
	m.take(t.Context(), packet{wire.Sent, sent[:1]})
	m.checkAsked(t, courier, wire.All)
	own := strings.SplitN(sent[1], " ", 3)[2]
	m.take(t.Context(), packet{wire.State, []string{own}})
	m.take(t.Context(), packet{wire.Complete, nil})
	m.checkAsked(t, courier, wire.Read)

	m.syncAt = m.syncAt.Add(-syncEvery / 2)
	m.send(t.Context())
	m.checkAsked(t, courier)
	m.syncAt = m.syncAt.Add(-syncEvery / 2)
	m.send(t.Context())
	m.checkAsked(t, courier, wire.All)
	m.take(t.Context(), packet{wire.Gap, nil})
	m.send(t.Context())
	m.checkAsked(t, courier) // once, and again for the gap when it was read
	others := event("mx2", "198.18.0.1/32", 0, time.Hour)
	m.take(t.Context(), packet{wire.State, []string{string(others.Append(nil))}})
	m.take(t.Context(), packet{wire.Complete, nil}) // it has not what this member has said
	m.blocks(t, "198.18.0.8/32")
	m.send(t.Context())
	first := m.checkAsked(t, courier, wire.Send)
	m.take(t.Context(), packet{wire.Sent, first[:1]})
	again := m.checkAsked(t, courier, wire.Send)
	for _, sent := range []struct {
		lines   []string
		network string
	}{{first, "198.18.0.8/32"}, {again, "198.18.0.9/32"}} {
		if len(sent.lines) != 2 || !strings.Contains(sent.lines[1], "state:mx1:"+sent.network) {
			t.Errorf("the engine gets %q; want the block of %s", sent.lines, sent.network)
		}
	}
	m.take(t.Context(), packet{wire.Sent, again[:1]})
	m.checkAsked(t, courier, wire.All) // for the gap
	checkLeft(t, m, map[string]time.Duration{"198.18.0.1/32": time.Hour,
		"198.18.0.8/32": time.Hour, "198.18.0.9/32": time.Hour})
}

// A courier that has ended is noticed when the member speaks to it, too: until another one has
// connected, the engine is away.
func TestCourierHasEnded(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	courier := m.withCourier(t)
	m.courier.command, m.courier.done = &exec.Cmd{}, make(chan struct{})
	m.take(t.Context(), packet{wire.Complete, nil})
	connected := func() bool {
		s, err := m.ledger.Sharing(ledger.Now())
		if err != nil {
			t.Fatal(err)
		}
		return s.Connected
	}
	if !connected() {
		t.Error("the engine does not answer; want it to")
	}
	if err := courier.Close(); err != nil {
		t.Fatal(err)
	}
	if m.tell(wire.All); m.connected || connected() {
		t.Error("the engine answers, without a courier")
	}
}

// A courier that says nothing for minutes is replaced, and the engine does not seem to answer. One
// whose packets wait here is not.
func TestSilentCourier(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	m.withCourier(t)
	m.courier.command, m.courier.done = &exec.Cmd{}, make(chan struct{})
	m.courier.packets = make(chan packet, 1)
	m.take(t.Context(), packet{wire.Complete, nil})
	late := m.saidAt.Add(mostSilence + time.Second)
	m.endSilence(m.saidAt.Add(mostSilence))
	m.courier.packets <- packet{}
	if m.endSilence(late); m.courier == nil {
		t.Fatal("a courier is replaced that has said something")
	}
	<-m.courier.packets
	m.endSilence(late)
	s, err := m.ledger.Sharing(ledger.Now())
	if m.courier != nil || s.Connected || err != nil {
		t.Errorf("the courier is replaced: %v; connected: %v, %v", m.courier == nil, s.Connected,
			err)
	}
}
