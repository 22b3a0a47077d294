package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// hangUp lets the client come, and leave after that time. It returns the moment of that.
func hangUp(t *testing.T, l *Ledger, now Moment, a Arrival, waited time.Duration) Moment {
	t.Helper()
	var s Session
	mustAt(t, l, now, func(tx *Tx) { s, _ = tx.Enter(a, Self()) })
	now = now.After(waited)
	mustAt(t, l, now, func(tx *Tx) {
		tx.HungUp(a.Network, waited, a.Limits.HangupsPer)
		tx.Leave(s)
	})
	return now
}

// hangupsOf are those that count.
func hangupsOf(t *testing.T, l *Ledger, now Moment, a Arrival) (is Hangups) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) { is = tx.Look(a).Hangups })
	return is
}

// leaverFor is a client whose hangups count for that long.
func leaverFor(n int, per time.Duration) Arrival {
	a := from(hostN(n))
	a.Limits.HangupsPer = per
	return a
}

// Consecutive hangups add up, until the first of them, or the last visit, is too long ago.
func TestExactHangups(t *testing.T) {
	const hour, sec, tenth = time.Hour, time.Second, 100 * time.Millisecond
	type visit struct{ pause, waited time.Duration }
	for name, tt := range map[string]struct {
		per    time.Duration
		visits []visit
		later  time.Duration
		want   Hangups
	}{
		"none":      {hour, nil, 0, Hangups{}},
		"no":        {0, []visit{{0, 2 * sec}}, 0, Hangups{}},
		"two":       {hour, []visit{{0, 2 * sec}, {0, 2*sec - 1}}, 0, Hangups{2, 39 * tenth}},
		"too short": {hour, []visit{{0, tenth - 1}, {0, tenth - 1}}, 0, Hangups{N: 2}},
		"within": {hour, []visit{{0, sec}, {hour - sec, sec}}, hour - 2*sec,
			Hangups{2, 2 * sec}},
		"not within": {hour, []visit{{0, 2 * sec}, {62 * time.Minute, sec}}, 0, Hangups{1, sec}},
		"too late":   {hour, []visit{{0, 2 * sec}}, hour, Hangups{}},
		"after 45 days": {24 * hour, []visit{{0, sec}, {1 << 16 * time.Minute, sec}}, 0,
			Hangups{1, sec}},
		"long": {hour, []visit{{0, 290 * sec}, {0, 290 * sec}}, 0,
			Hangups{2, 4095 * tenth}},
	} {
		l, now, a := newLedger(t, MinClients), Now(), leaverFor(1, tt.per)
		for _, v := range tt.visits {
			now = hangUp(t, l, now.After(v.pause), a, v.waited)
		}
		if is := hangupsOf(t, l, now.After(tt.later), a); is != tt.want {
			t.Errorf("%s: %+v; want %+v", name, is, tt.want)
		}
		mustAudit(t, l)
	}
	l, now, a := newLedger(t, MinClients), Now(), leaverFor(1, time.Hour)
	for range 20 {
		now = hangUp(t, l, now, a, time.Second)
	}
	if is := hangupsOf(t, l, now, a); is != (Hangups{mostHangups, 20 * time.Second}) {
		t.Errorf("twenty: %+v; want %d", is, mostHangups)
	}
	if is := hangupsOf(t, l, now, leaverFor(2, time.Hour)); is != (Hangups{}) {
		t.Errorf("its neighbour has %+v", is)
	}
}

// Of simultaneous sessions of a network only the last to leave counts.
func TestExactHangupsAtOnce(t *testing.T) {
	l, now, a := newLedger(t, MinClients), Now(), leaverFor(1, time.Hour)
	a.Network = netip.PrefixFrom(hostN(0), 24)
	var sessions []Session
	for n := range 10 {
		of := a
		of.Client = netip.AddrPortFrom(hostN(n), 25)
		mustAt(t, l, now, func(tx *Tx) {
			s, _ := tx.Enter(of, Self())
			sessions = append(sessions, s)
		})
	}
	now = now.After(2 * time.Second)
	for _, s := range sessions {
		mustAt(t, l, now, func(tx *Tx) {
			tx.HungUp(a.Network, 2*time.Second, time.Hour)
			tx.Leave(s)
		})
	}
	if is := hangupsOf(t, l, now, a); is != (Hangups{1, 2 * time.Second}) {
		t.Errorf("%+v of ten at once; want one", is)
	}
}

// Whatever else the network does ends the run of hangups, except just arriving.
func TestExactHangupsEnd(t *testing.T) {
	network := networkN(1)
	for name, tt := range map[string]struct {
		do   func(tx *Tx)
		ends bool
	}{
		"a visit":       {func(tx *Tx) { tx.Visit(network, time.Hour) }, false},
		"a recipient":   {func(tx *Tx) { tx.BadRcpt(network, time.Hour) }, false},
		"forgotten":     {func(tx *Tx) { tx.ForgetHangups(network) }, true},
		"known":         {func(tx *Tx) { tx.Remember(network, time.Hour) }, true},
		"known by them": {func(tx *Tx) { tx.RememberForHangups(network, time.Hour) }, true},
		"a strike":      {func(tx *Tx) { struck(tx, network, 1) }, true},
		"no strike":     {func(tx *Tx) { tx.Strike(network, "x", 0, threeStrikes) }, false},
		"a block":       {func(tx *Tx) { tx.Block(network, time.Minute, "x", threeStrikes) }, true},
	} {
		l, now, a := newLedger(t, MinClients), Now(), leaverFor(1, time.Hour)
		now = hangUp(t, l, now, a, 2*time.Second)
		mustAt(t, l, now, tt.do)
		if is := hangupsOf(t, l, now, a); (is.N == 0) != tt.ends {
			t.Errorf("%s: %+v; ends the row? %v", name, is, tt.ends)
		}
	}
}

// A client that became known because of its hangups is known for longer when it has come back for
// hours; one that has waited is not. Neither is after it has spoken early.
func TestExactLeaver(t *testing.T) {
	const day, minute = 24 * time.Hour, time.Minute
	waiter := func(tx *Tx) { tx.Remember(networkN(1), day) }
	leaves := func(tx *Tx) { tx.RememberForHangups(networkN(1), day) }
	for name, tt := range map[string]struct {
		become func(tx *Tx)
		every  time.Duration
		until  time.Duration // the last visit
		speaks bool
		last   time.Duration // until when it is known, an hour more or less
	}{
		"a monitor":         {leaves, minute, 3 * day, false, 4 * day},
		"once an hour":      {leaves, time.Hour, 3 * day, false, 4 * day},
		"once in two hours": {leaves, 2 * time.Hour, 2 * day, false, 3 * day},
		"for two hours":     {leaves, minute, 2 * time.Hour, false, day},
		"speaks early":      {leaves, minute, day - time.Hour, true, day},
		"has waited":        {waiter, minute, day - time.Hour, false, day},
	} {
		l, now := newLedger(t, MinClients), Now()
		hour := time.Duration(now.Wall.UnixMilli()%time.Hour.Milliseconds()) * time.Millisecond
		began := now.After(time.Hour - hour)
		mustAt(t, l, began, tt.become)
		for after := tt.every; after <= tt.until; after += tt.every {
			mustAt(t, l, began.After(after), func(tx *Tx) {
				tx.Visit(networkN(1), day)
				if tt.speaks {
					tx.ForgetHangups(networkN(1))
				}
			})
		}
		known := func(after time.Duration) (is bool) {
			mustAt(t, l, began.After(after), func(tx *Tx) { is = tx.Known(networkN(1)) })
			return is
		}
		if !known(tt.last-time.Hour) || known(tt.last+time.Hour) {
			t.Errorf("%s: it is not known until %v", name, tt.last)
		}
	}
}

// A full ledger forgets the hangups with the record, and the new record there has none. A ledger of
// another size keeps them.
func TestBoundedHangups(t *testing.T) {
	l, now, a := newLedger(t, MinClients), Now(), leaverFor(0, time.Hour)
	now = hangUp(t, l, now, a, 2*time.Second)
	path := l.path
	shut(l)
	l, _, err := openBy(path, 4*MinClients, ThisBoot(), func() Moment { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer shut(l)
	if is := hangupsOf(t, l, now, a); is != (Hangups{1, 2 * time.Second}) {
		t.Errorf("in a ledger of another size: %+v", is)
	}
	hosts := meeting(t, l, 2*ways+1)
	a.Client, a.Network = netip.AddrPortFrom(hosts[0], 25), from(hosts[0]).Network
	now = hangUp(t, l, now, a, 2*time.Second)
	for _, host := range hosts[1:] {
		mustAt(t, l, now, func(tx *Tx) { tx.Enter(from(host), Self()) })
	}
	mustAt(t, l, now, func(tx *Tx) {
		tx.HungUp(a.Network, time.Second, time.Hour)
		tx.ForgetHangups(a.Network)
		tx.RememberForHangups(a.Network, time.Hour)
	})
	if is := hangupsOf(t, l, now, a); is != (Hangups{}) {
		t.Errorf("where all that could make place live: %+v", is)
	}
	mustAudit(t, l)
}
