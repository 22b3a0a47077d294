package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// newLedger makes a ledger in a directory of its own.
func newLedger(t testing.TB, clients int) *Ledger {
	t.Helper()
	l, notes := mustOpen(t, filepath.Join(ownDir(t), "ledger"), clients)
	if len(notes) > 0 {
		t.Fatalf("a new ledger has notes: %q", notes)
	}
	return l
}

// mustOpen opens a ledger until the test ends.
func mustOpen(t testing.TB, path string, clients int) (*Ledger, []string) {
	t.Helper()
	l, notes, err := Open(path, clients, ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(l) })
	return l, notes
}

// shut closes a ledger that may be closed already.
func shut(l *Ledger) {
	if l.mem != nil {
		_ = l.Close()
		l.mem = nil
	}
}

// must runs work on the ledger now.
func must(t testing.TB, l *Ledger, work func(*Tx)) {
	t.Helper()
	mustAt(t, l, Now(), work)
}

func mustAt(t testing.TB, l *Ledger, now Moment, work func(*Tx)) {
	t.Helper()
	if err := l.Do(now, work); err != nil {
		t.Fatal(err)
	}
}

// look is how a client stands now.
func look(t testing.TB, l *Ledger, a Arrival) (s Standing) {
	t.Helper()
	must(t, l, func(tx *Tx) { s = tx.Look(a) })
	return s
}

// hostN is the n-th of many clients, and from is its arrival without any limit.
func hostN(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func from(host netip.Addr) Arrival {
	return Arrival{Client: netip.AddrPortFrom(host, 25),
		Network: netip.PrefixFrom(host, host.BitLen())}
}

func networkN(n int) netip.Prefix { return from(hostN(n)).Network }

// audit compares every count and every link of the ledger with all others. No other process may
// write meanwhile: call it within Do, or on a file that is no longer in use.
func audit(l *Ledger) error {
	var wrong []error
	complain := func(format string, args ...any) {
		if len(wrong) < 10 {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	var waiting, serving, clients uint32
	wide := map[key]Wide{}
	unlisted := map[int]int{} // slot in use -> record in whose list it must be
	for i := range l.liveSlots() {
		switch s := l.slot(i); s.state {
		case slotWaiting:
			waiting++
		case slotServing:
			serving++
		default:
			complain("slot %d is marked as used; its state is %d", i, s.state)
		}
		s, tx := l.slot(i), &Tx{l: l}
		for n := range widths {
			if flag, bits := tx.width(s.flags, n); flag != 0 {
				k := key{s.addr, 128}.widened(bits)
				w := wide[k]
				w.Conns++
				if s.state == slotServing {
					w.Served++
				}
				wide[k] = w
			}
		}
		if r := int(l.slot(i).client) - 1; r >= 0 {
			unlisted[i] = r
		}
	}
	seen := map[key]int{}
	running := uint64(0)
	for r := range l.records() {
		c := l.record(r)
		if k := (key{c.addr, c.bits}); c.used == usedByWide && c.epoch == l.header.epoch {
			if got, want := (Wide{int(c.sessions), int(c.first)}), wide[k]; got != want ||
				got.Conns == 0 && c.rate == (window[uint16]{}) {
				complain("record %d counts %+v of %v; it has %+v", r, got, k.network(), want)
			}
			if b := l.buckets(k); r/ways != b[0] && r/ways != b[1] {
				complain("record %d of %v lies in neither of its buckets %v", r, k.network(), b)
			}
			delete(wide, k)
		}
		if c.used != usedByClient {
			continue
		}
		clients++
		k := key{c.addr, c.bits}
		if other, twice := seen[k]; twice {
			complain("records %d and %d are both of %v", other, r, k.network())
		}
		seen[k] = r
		if b := l.buckets(k); r/ways != b[0] && r/ways != b[1] {
			complain("record %d of %v lies in neither of its buckets %v", r, k.network(), b)
		}
		if c.blockLeft(l.state.lastTick) > 0 {
			running++
		}
		if c.epoch == l.header.epoch {
			auditList(l, r, unlisted, complain)
		}
	}
	for i, r := range unlisted {
		complain("slot %d is in use and in no list; it says record %d", i, r)
	}
	for k, w := range wide {
		complain("%+v of %v are counted nowhere", w, k.network())
	}
	if bound := l.ring.bound(); running > bound {
		complain("%d blocks run; the ring says %d at most", running, bound)
	}
	if s := l.state; s.waiting != waiting || s.serving != serving || s.clients != clients {
		complain("the state says %d waiting, %d serving, %d clients; there are %d, %d, %d",
			s.waiting, s.serving, s.clients, waiting, serving, clients)
	}
	return errors.Join(wrong...)
}

// auditList walks the list of one record's sessions and removes them from unlisted.
func auditList(l *Ledger, r int, unlisted map[int]int, complain func(string, ...any)) {
	c := l.record(r)
	n, before := uint32(0), uint32(0)
	for next := c.first; next != 0; n++ {
		i := int(next) - 1
		if owner, ok := unlisted[i]; !ok || owner != r {
			complain("record %d: its list leads to slot %d, which is not its own", r, i)
			return
		}
		delete(unlisted, i)
		s := l.slot(i)
		if s.prev != before {
			complain("record %d: slot %d has %d before it, not %d", r, i, before, s.prev)
		}
		before, next = next, s.next
	}
	if n != c.sessions {
		complain("record %d counts %d sessions; its list has %d", r, c.sessions, n)
	}
}

// mustAudit fails the test if the ledger is inconsistent.
func mustAudit(t testing.TB, l *Ledger) {
	t.Helper()
	var err error
	must(t, l, func(*Tx) { err = audit(l) })
	if err != nil {
		t.Fatalf("the ledger does not add up:\n%v", err)
	}
}

// content is the whole ledger, byte by byte, without the undo log, the clock, and the times when
// sessions were last checked.
func content(l *Ledger) []byte {
	l.rollback()
	all := append([]byte(nil), l.mem...)
	clear(all[undoAt:ringAt])
	s := view[state](all, stateAt)
	s.lastTick, s.lastWall, s.sweepAt = 0, 0, 0
	for i := range int(l.geo.slots) {
		view[session](all, l.slotAt(i)).checked = 0
	}
	return all
}

// atOnce fails the test unless the lock is free: it does not wait for the lock.
func atOnce(t testing.TB, l *Ledger) {
	t.Helper()
	defer func(patience time.Duration) { l.CrowdPatience = patience }(l.CrowdPatience)
	l.CrowdPatience = 1
	must(t, l, func(*Tx) {})
}
