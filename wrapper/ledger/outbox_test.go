package ledger

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// outboxOf is what the outbox has after that number, in words.
func outboxOf(t *testing.T, l *Ledger, after uint64) (texts []string, lost uint64) {
	t.Helper()
	events, lost, err := l.Outbox(after, OutboxSize+1)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if i > 0 && e.Number != events[i-1].Number+1 {
			t.Errorf("event %d comes after %d", e.Number, events[i-1].Number)
		}
		texts = append(texts, fmt.Sprint(e.Kind, e.Network, e.For, e.Rcpts, e.Reason))
	}
	return texts, lost
}

func number(t *testing.T, l *Ledger) (n uint64) {
	t.Helper()
	must(t, l, func(tx *Tx) { n = tx.LastEvent() })
	return n
}

var hour = Penalty{Strikes: 2, Within: time.Hour, For: time.Hour, Max: 24 * time.Hour}

// The outbox has what happens here, once and in order; nothing before somebody shares, and nothing
// that came from elsewhere.
func TestOutbox(t *testing.T) {
	l := newLedger(t, MinClients)
	a, b := networkN(1), networkN(2)
	must(t, l, func(tx *Tx) { tx.Block(a, time.Hour, "before", hour) })
	must(t, l, func(tx *Tx) { tx.Share("mx1", 7) })
	first := number(t, l)
	if first == 0 {
		t.Fatal("events begin at 0: those of an earlier ledger may have had these numbers")
	}
	must(t, l, func(tx *Tx) {
		tx.Strike(b, "pregreet:ehlo", 1, hour)
		tx.Strike(b, "pregreet:ehlo", 1, hour)
		tx.Remember(networkN(3), time.Minute)
		tx.GoodRcpts(networkN(4), 3, time.Hour) // no event before the first bad one
		tx.BadRcpt(networkN(4), time.Hour)
		tx.BadRcpt(networkN(4), time.Hour)
		tx.GoodRcpts(networkN(4), 2, time.Hour)
	})
	if _, err := l.Unblock(Now(), b); err != nil {
		t.Fatal(err)
	}
	must(t, l, func(tx *Tx) {
		tx.From("mx2")
		tx.BlockElsewhere(networkN(5), time.Hour, "x", hour)
		tx.UnblockElsewhere(networkN(5))
		tx.KnownElsewhere(networkN(6), time.Hour)
		tx.RcptsElsewhere(1, networkN(7), Rcpts{Bad: 1}, time.Hour)
	})
	got, lost := outboxOf(t, l, first)
	want := []string{
		fmt.Sprint(OutboxBlock, b, time.Hour, Rcpts{}, "pregreet:ehlo"),
		fmt.Sprint(OutboxKnown, networkN(3), time.Minute, Rcpts{}, ""),
		fmt.Sprint(OutboxRcpts, networkN(4), time.Duration(0), Rcpts{1, 3}, ""),
		fmt.Sprint(OutboxRcpts, networkN(4), time.Duration(0), Rcpts{1, 0}, ""),
		fmt.Sprint(OutboxRcpts, networkN(4), time.Duration(0), Rcpts{0, 2}, ""),
		fmt.Sprint(OutboxUnblock, b, time.Duration(0), Rcpts{}, ""),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || lost != 0 {
		t.Errorf("outbox\n%q, %d lost; want\n%q", got, lost, want)
	}
	// Days after the process was last here, there is no event.
	last := number(t, l)
	mustAt(t, l, Now().After(sharedFor+time.Minute), func(tx *Tx) {
		tx.Block(networkN(8), time.Hour, "x", hour)
		if tx.LastEvent() != last {
			t.Error("an event for nobody")
		}
	})
}

// Of more events than the outbox keeps, the newest are there, and the number of the others.
func TestOutboxIsBounded(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { tx.Share("mx1", 7) })
	first := number(t, l)
	const more = 100
	for n := range OutboxSize + more {
		must(t, l, func(tx *Tx) { tx.Remember(networkN(n%500), time.Minute) })
	}
	got, lost := outboxOf(t, l, first)
	if len(got) != OutboxSize || lost != more {
		t.Errorf("%d events, %d lost; want %d, %d", len(got), lost, OutboxSize, more)
	}
}

// An operation that is undone leaves no event.
func TestOutboxCrash(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { tx.Share("mx1", 7) })
	first := number(t, l)
	func() {
		defer func() { _ = recover() }()
		_ = l.Do(Now(), func(tx *Tx) {
			tx.Block(networkN(1), time.Hour, "x", hour)
			panic("killed here")
		})
	}()
	must(t, l, func(*Tx) {}) // rolls back
	if got, _ := outboxOf(t, l, first); len(got) > 0 {
		t.Errorf("events of an operation that was undone: %q", got)
	}
}

// What came from elsewhere has its origin; what this machine does later has none.
func TestElsewhere(t *testing.T) {
	l := newLedger(t, MinClients)
	a := networkN(1)
	elsewhere := func(name string, work func(*Tx)) {
		t.Helper()
		must(t, l, func(tx *Tx) {
			if !tx.From(name) {
				t.Fatalf("no place for %s", name)
			}
			work(tx)
		})
	}
	elsewhere("mx2", func(tx *Tx) {
		if d := tx.BlockElsewhere(a, time.Hour, "x", hour); d != time.Hour {
			t.Errorf("blocked for %v", d)
		}
		if d := tx.BlockElsewhere(a, time.Hour, "x", hour); d != 0 {
			t.Errorf("the same block begins again, for %v", d)
		}
	})
	if s := look(t, l, from(hostN(1))); !s.Blocked || s.From != "mx2" {
		t.Errorf("%+v; want a block from mx2", s)
	}
	if all, err := l.Blocks(Now()); err != nil || len(all) != 1 || all[0].From != "mx2" {
		t.Errorf("blocks %+v, %v", all, err)
	}
	elsewhere("mx3", func(tx *Tx) {
		if tx.KnownElsewhere(a, time.Hour) {
			t.Error("a blocked client has become known")
		}
		if !tx.UnblockElsewhere(a) || tx.UnblockElsewhere(a) {
			t.Error("the block did not end, or twice")
		}
	})
	must(t, l, func(tx *Tx) { tx.Strike(networkN(3), "pregreet:ehlo", 1, hour) })
	elsewhere("mx3", func(tx *Tx) {
		if tx.KnownElsewhere(networkN(3), time.Hour) {
			t.Error("a client with a strike has become known")
		}
	})
	must(t, l, func(tx *Tx) {
		tx.BlockByHand(a, 2*time.Hour, "admin", hour)
	})
	if s := look(t, l, from(hostN(1))); s.From != "" {
		t.Errorf("a block of this machine comes from %q", s.From)
	}
	elsewhere("mx2", func(tx *Tx) {
		tx.BlockElsewhere(a, time.Minute, "x", hour)
	})
	if s := look(t, l, from(hostN(1))); s.BlockLeft < time.Hour {
		t.Errorf("a block by hand was shortened to %v", s.BlockLeft)
	}
	// Each increment counts once, each machine's for itself.
	b := networkN(2)
	for _, name := range []string{"mx2", "mx3", "mx2"} {
		elsewhere(name, func(tx *Tx) { tx.RcptsElsewhere(5, b, Rcpts{Bad: 2}, time.Hour) })
	}
	must(t, l, func(tx *Tx) {
		if n := tx.Rcpts(b, time.Hour); n != (Rcpts{Bad: 4}) {
			t.Errorf("%+v; want 2 of each machine", n)
		}
	})
	s, err := l.Sharing(Now())
	if err != nil || len(s.Origins) != 2 {
		t.Errorf("%+v, %v; want mx2 and mx3", s, err)
	}
}

// There is a place for 124 machines, and one that was silent for months leaves its own.
func TestElsewhereIsBounded(t *testing.T) {
	l := newLedger(t, MinClients)
	comes := func(now Moment, name string) (ok bool) {
		mustAt(t, l, now, func(tx *Tx) { ok = tx.From(name) })
		return ok
	}
	now := Now()
	for n := range maxOrigins {
		if !comes(now, fmt.Sprint("mx", n)) {
			t.Fatalf("no place for machine %d", n)
		}
	}
	if comes(now, "one more") {
		t.Error("a place for one machine more")
	}
	if !comes(now, "mx5") || !comes(now.After(2*MaxBlock+time.Hour), "one more") {
		t.Error("a machine has lost its place, or a silent one has kept it")
	}
}

// A known client from elsewhere takes the place of none that is known here.
func TestKnownElsewhereYields(t *testing.T) {
	l := newLedger(t, MinClients)
	spread := func(n int) netip.Prefix { // so that no wide network has a crowd
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(1 + n%200), byte(n >> 8), 1, 1}), 32)
	}
	for n := range 4 * MinClients {
		must(t, l, func(tx *Tx) { tx.Remember(spread(n), time.Hour) })
	}
	before, err := l.CountNetworks(Now())
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for n := range MinClients {
		must(t, l, func(tx *Tx) {
			tx.From("mx2")
			k := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)}), 32)
			if tx.KnownElsewhere(k, time.Hour) {
				taken++
			}
		})
	}
	after, err := l.CountNetworks(Now())
	if err != nil || after.Known != before.Known+taken {
		t.Errorf("%d were known, %d came, %d are known; %v", before.Known, taken, after.Known, err)
	}
}

// Sharing survives a change of size.
func TestOutboxIsCarriedOver(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { tx.Share("mx1", 7) })
	first := number(t, l)
	must(t, l, func(tx *Tx) { tx.Block(networkN(1), time.Hour, "x", hour) })
	must(t, l, func(tx *Tx) {
		tx.From("mx2")
		tx.BlockElsewhere(networkN(2), time.Hour, "x", hour)
	})
	path := l.path
	_ = l.Close()
	l, _ = mustOpen(t, path, 2*MinClients)
	if got, _ := outboxOf(t, l, first); len(got) != 1 {
		t.Errorf("events %q; want one", got)
	}
	if s := look(t, l, from(hostN(2))); s.From != "mx2" {
		t.Errorf("%+v; want a block from mx2", s)
	}
}
