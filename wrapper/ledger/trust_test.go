package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// rankOf is how important the network's record is; -1 = it has none.
func rankOf(t testing.TB, l *Ledger, now Moment, network netip.Prefix) (rank int) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) {
		rank = -1
		if i := l.find(keyOf(network)); i >= 0 {
			rank = tx.importance(l.record(i)).rank
		}
	})
	return rank
}

// A client is trusted when it has come in several hours since it became known, or delivered mail.
// What ends that it is known ends all of that.
func TestBoundedTrust(t *testing.T) {
	const n = 1
	remember := func(tx *Tx) { tx.Remember(networkN(n), 24*time.Hour) }
	visit := func(tx *Tx) { tx.Visit(networkN(n), 24*time.Hour) }
	deliver := func(tx *Tx) { tx.Delivered(networkN(n)) }
	strike := func(tx *Tx) { struck(tx, networkN(n), 1) }
	type step struct {
		after time.Duration
		do    func(tx *Tx)
		rank  int
	}
	for name, steps := range map[string][]step{
		"often within an hour": {
			{0, remember, known}, {20 * time.Minute, remember, known},
			{20 * time.Minute, remember, known},
			{19 * time.Minute, remember, known}, {0, remember, known},
		},
		"in several hours": {
			{0, remember, known}, {time.Hour, remember, known}, {time.Hour, remember, known},
			{20 * time.Hour, remember, trusted},
			{23 * time.Hour, func(*Tx) {}, trusted}, {time.Hour, func(*Tx) {}, expired},
		},
		"known again within a week": {
			{0, remember, known}, {time.Hour, remember, known}, {time.Hour, remember, known},
			{24*time.Hour + 7*24*time.Hour - time.Millisecond, remember, trusted},
		},
		"known no longer": {
			{0, remember, known}, {time.Hour, remember, known}, {time.Hour, remember, known},
			{24*time.Hour + 7*24*time.Hour, remember, known},
			{time.Hour, remember, known}, {time.Hour, remember, known},
			{time.Hour, remember, trusted},
		},
		"visits": {
			{0, visit, -1}, {0, remember, known}, {0, visit, known}, {time.Hour, visit, known},
			{time.Hour, visit, known}, {10 * time.Minute, visit, known},
			{time.Hour, visit, trusted},
			{21*time.Hour - 11*time.Minute, visit, trusted}, {time.Minute, visit, history},
			{0, remember, trusted},
		},
		"struck": {
			{0, remember, known}, {time.Hour, remember, known}, {time.Hour, remember, known},
			{time.Hour, remember, trusted},
			{0, strike, history}, {0, remember, known}, {time.Hour, remember, known},
		},
		"delivered": {
			{0, deliver, -1}, {0, remember, known}, {0, deliver, trusted}, {0, deliver, trusted},
			{time.Minute, strike, history}, {0, deliver, history}, {0, remember, known},
		},
		"blocked, and let in again": {
			{0, remember, known}, {0, deliver, trusted},
			{0, func(tx *Tx) { tx.Block(networkN(n), time.Minute, "x", threeStrikes) }, blocked},
			{time.Minute, remember, known},
		},
	} {
		l, now := newLedger(t, MinClients), Now()
		into := time.Duration(now.Wall.UnixMilli()%time.Hour.Milliseconds()) * time.Millisecond
		now = now.After(time.Hour - into)
		for i, s := range steps {
			now = now.After(s.after)
			mustAt(t, l, now, s.do)
			if rank := rankOf(t, l, now, networkN(n)); rank != s.rank {
				t.Errorf("%s: after step %d it ranks %d; want %d", name, i, rank, s.rank)
			}
		}
	}
}

// A block is by hand from when an administrator sets it until it ends, whatever else sets it
// meanwhile.
func TestBoundedByHand(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	network := networkN(1)
	for i, s := range []struct {
		after time.Duration
		do    func(tx *Tx)
		rank  int
	}{
		{0, func(tx *Tx) { tx.Block(network, time.Minute, "x", threeStrikes) }, blocked},
		{0, func(tx *Tx) { tx.BlockByHand(network, time.Hour, "x", threeStrikes) }, blockedByHand},
		{time.Minute, func(tx *Tx) { tx.Block(network, 0, "badrcpts", threeStrikes) },
			blockedByHand},
		{0, func(tx *Tx) { struck(tx, network, 3) }, blockedByHand},
		{4 * 24 * time.Hour, func(*Tx) {}, history},
		{0, func(tx *Tx) { struck(tx, network, 3) }, blocked},
		{0, func(tx *Tx) { tx.BlockByHand(network, 0, "x", threeStrikes) }, blockedByHand},
		// no time at all
		{0, func(tx *Tx) { tx.BlockByHand(network, 1, "x", threeStrikes) }, blockedByHand},
		{MaxBlock, func(tx *Tx) { tx.BlockByHand(network, 1, "x", threeStrikes) }, history},
		{0, func(tx *Tx) { tx.BlockByHand(network, time.Hour, "x", threeStrikes) }, blockedByHand},
	} {
		now = now.After(s.after)
		mustAt(t, l, now, s.do)
		if rank := rankOf(t, l, now, network); rank != s.rank {
			t.Errorf("after step %d it ranks %d; want %d", i, rank, s.rank)
		}
	}
	if _, err := l.Unblock(now, network); err != nil {
		t.Fatal(err)
	}
	mustAt(t, l, now, func(tx *Tx) { tx.Block(network, time.Minute, "x", threeStrikes) })
	if rank := rankOf(t, l, now, network); rank != blocked {
		t.Errorf("unblocked, and blocked by itself, it ranks %d; want %d", rank, blocked)
	}
}

// If all candidates are blocked by hand, only another block by hand replaces one.
func TestBoundedByHandOnly(t *testing.T) {
	const places = 2 * ways
	l, now := newLedger(t, MinClients), Now()
	hosts := meeting(t, l, places+2)
	for n := range places {
		mustAt(t, l, now, func(tx *Tx) {
			tx.BlockByHand(from(hosts[n]).Network, time.Hour+time.Duration(n*7%places)*time.Minute,
				"x", threeStrikes)
		})
	}
	checkAllLive(t, l, now, hosts[places])
	mustAt(t, l, now, func(tx *Tx) {
		if d := tx.BlockByHand(from(hosts[places+1]).Network, time.Hour, "x",
			threeStrikes); d != time.Hour {
			t.Errorf("another by hand: blocked for %v", d)
		}
		for n, host := range hosts[:places] {
			if is := l.find(keyOf(from(host).Network)) >= 0; is != (n > 0) {
				t.Errorf("number %d is there: %v; want the one gone that ends soonest", n, is)
			}
		}
	})
	mustAudit(t, l)
}

// What the ledger knows of trust and blocks by hand is kept in a ledger of another size.
func TestBoundedTrustRebuilt(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	for h := range 4 {
		mustAt(t, l, now.After(time.Duration(h)*time.Hour),
			func(tx *Tx) { tx.Remember(networkN(1), 24*time.Hour) })
	}
	now = now.After(3 * time.Hour)
	mustAt(t, l, now, func(tx *Tx) {
		tx.Remember(networkN(2), time.Hour)
		tx.Delivered(networkN(2))
		tx.BlockByHand(networkN(3), time.Hour, "x", threeStrikes)
		tx.Block(networkN(4), time.Hour, "x", threeStrikes)
	})
	path := l.path
	shut(l)
	again, _, err := openBy(path, 4*MinClients, ThisBoot(), func() Moment { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer shut(again)
	for n, want := range map[int]int{1: trusted, 2: trusted, 3: blockedByHand, 4: blocked} {
		if rank := rankOf(t, again, now, networkN(n)); rank != want {
			t.Errorf("network %d ranks %d; want %d", n, rank, want)
		}
	}
}

// Of an older version's blocks those are by hand for which an administrator gave no reason.
func TestHonestOlderByHand(t *testing.T) {
	for _, version := range olderVersions {
		l, _ := openOlder(t, older(t, version), MinClients, olderBoot(version))
		for network, want := range map[string]int{"198.51.100.0/24": blockedByHand,
			"2001:db8:1:2::/64": blocked} {
			if rank := rankOf(t, l, olderNow(), netip.MustParsePrefix(network)); rank != want {
				t.Errorf("version %d: %s ranks %d; want %d", version, network, rank, want)
			}
		}
	}
}
