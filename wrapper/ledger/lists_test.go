package ledger

import (
	"math"
	"testing"
	"time"
)

// listAt is how the list behaves, with the lock and without.
func listAt(t testing.TB, l *Ledger, now Moment, zone string) (found List) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) { found = tx.List(zone) })
	all, err := l.Lists(now, []string{"unknown.example", zone})
	if err != nil || len(all) != 2 || all[0] != (List{}) || all[1] != found {
		t.Errorf("%s: %+v with the lock, %+v, %v without", zone, found, all, err)
	}
	return found
}

// claimsTest says whether the caller is to test the list.
func claimsTest(t testing.TB, l *Ledger, now Moment, zone string) (claimed bool) {
	t.Helper()
	mustAt(t, l, now, func(tx *Tx) { claimed = tx.ClaimListTest(zone, 30*time.Minute) })
	return claimed
}

// Of all processes that use a list one tests it, and again half an hour after it has passed; if it
// does not end the test, another one does a minute later.
func TestListIsTested(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	const zone = "bl.example"
	if got := listAt(t, l, now, zone); got != (List{}) {
		t.Errorf("nobody has asked it: %+v", got)
	}
	for range 3 {
		if !claimsTest(t, l, now, zone) || claimsTest(t, l, now, zone) ||
			claimsTest(t, l, now.After(time.Minute-time.Millisecond), zone) {
			t.Error("not one test a minute")
		}
		if got := listAt(t, l, now, zone); got.Tested {
			t.Errorf("its test is under way: %+v", got)
		}
		now = now.After(time.Minute)
	}
	mustAt(t, l, now, func(tx *Tx) {
		if tx.PassListTest(zone) {
			t.Error("it is back, and was never set aside")
		}
	})
	if got := listAt(t, l, now, zone); !got.Tested || got.Aside != 0 {
		t.Errorf("it has passed: %+v", got)
	}
	if claimsTest(t, l, now.After(30*time.Minute-time.Millisecond), zone) {
		t.Error("it is tested again too early")
	}
	now = now.After(30 * time.Minute)
	if !claimsTest(t, l, now, zone) || !listAt(t, l, now, zone).Tested {
		t.Error("it is not tested again, or not believed meanwhile")
	}
	mustAt(t, l, now, func(tx *Tx) { tx.SetListAside(zone, "lists 127.0.0.1", time.Hour) })
	if got := listAt(t, l, now, zone); got.Tested || got.Aside != time.Hour ||
		got.Why != "lists_127.0.0.1" {
		t.Errorf("set aside: %+v", got)
	}
	last := now.After(time.Hour - time.Millisecond)
	if got := listAt(t, l, last, zone); got.Aside != time.Millisecond ||
		claimsTest(t, l, last, zone) {
		t.Errorf("at the end of its time: %+v, or tested", got)
	}
	now = now.After(time.Hour)
	if got := listAt(t, l, now, zone); got.Aside != 0 || got.Tested ||
		!claimsTest(t, l, now, zone) {
		t.Errorf("after its time: %+v, or not tested", got)
	}
	mustAt(t, l, now, func(tx *Tx) {
		if !tx.PassListTest(zone) || tx.PassListTest(zone) {
			t.Error("it is back, but not once")
		}
	})
	if got := listAt(t, l, now, zone); !got.Tested || got.Why != "" {
		t.Errorf("it has passed again: %+v", got)
	}
	mustAt(t, l, now, func(tx *Tx) { tx.SetListAside(zone, "timeout", 1000*time.Hour) })
	if got := listAt(t, l, now, zone); got.Aside != longestAside {
		t.Errorf("set aside for ever: %+v", got)
	}
}

// Answers are counted in windows, failures and listings in a row.
func TestListCounts(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	const zone = "bl.example"
	count := func(a ListAnswer) (c ListCounts) {
		mustAt(t, l, now, func(tx *Tx) { c = tx.CountList(zone, a, 10) })
		return c
	}
	for n := 1; n <= 30; n++ {
		if n%7 == 0 {
			for want := 1; want <= 3; want++ {
				before := (n - 1) % 2
				if c := count(ListFailed); c.Failures != want || c.OfWindow != -1 ||
					c.InRow != 1-before {
					t.Errorf("failure %d: %+v", want, c)
				}
			}
			if c := count(NoListAnswer); c.Failures != 3 {
				t.Errorf("a failure is forgotten without an answer: %+v", c)
			}
		}
		want, a := ListCounts{OfWindow: -1}, NotListed
		if n%2 == 0 {
			want.InRow, a = 1, Listed
		}
		if n%10 == 0 {
			want.OfWindow = 5
		}
		if c := count(a); c != want {
			t.Errorf("answer %d: %+v; want %+v", n, c, want)
		}
		last := min(n/10, 1) * 10
		if got := listAt(t, l, now, zone); got.Recent != last+n%10 ||
			got.RecentListed != last/2+n%10/2 {
			t.Errorf("answer %d: %+v", n, got)
		}
	}
	if got := listAt(t, l, now, zone); got.Asked != 46 || got.Listed != 15 || got.Failed != 12 {
		t.Errorf("%+v; want 46 asked, 15 listed, 12 failed", got)
	}
	for n := 2; n <= 300; n++ {
		if c := count(Listed); c.InRow != min(n, math.MaxUint8) {
			t.Fatalf("%d in a row: %+v", n, c)
		}
	}
}

// What DNS leaves unanswered is no answer of a list; since when it does so is known until it
// answers something.
func TestListUnheard(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	const zone = "bl.example"
	count := func(a ListAnswer) (c ListCounts) {
		mustAt(t, l, now, func(tx *Tx) { c = tx.CountList(zone, a, 1) })
		return c
	}
	for _, ends := range []ListAnswer{Listed, NotListed, ListFailed} {
		before := listAt(t, l, now, zone)
		for range 3 {
			if c := count(Unheard); c.OfWindow != -1 || c.Unheard != 0 {
				t.Errorf("%+v", c)
			}
			now = now.After(time.Minute)
			count(NoListAnswer)
		}
		got := listAt(t, l, now, zone)
		if got.Unheard != 3*time.Minute || got.Asked != before.Asked+6 ||
			got.Failed != before.Failed || got.Recent != before.Recent {
			t.Errorf("%+v after %+v", got, before)
		}
		if c := count(ends); c.Unheard != 3*time.Minute || listAt(t, l, now, zone).Unheard != 0 {
			t.Errorf("ended by %d: %+v", ends, c)
		}
		if c := count(ends); c.Unheard != 0 {
			t.Errorf("it ends once more: %+v", c)
		}
	}
}

// A test without a result is repeated by the next client. It is counted once in five seconds, and
// if nobody has answered once in all.
func TestListMissesTest(t *testing.T) {
	l, now := newLedger(t, MinClients), Now()
	const zone = "bl.example"
	mustAt(t, l, now, func(tx *Tx) { tx.PassListTest(zone) })
	miss := func(blamed bool) (times int) {
		mustAt(t, l, now, func(tx *Tx) { times = tx.MissListTest(zone, blamed) })
		if got := listAt(t, l, now, zone); got.Missed != times || !got.Tested {
			t.Errorf("%d misses: %+v", times, got)
		}
		if !claimsTest(t, l, now, zone) || claimsTest(t, l, now, zone) {
			t.Error("not one client repeats it")
		}
		return times
	}
	for range 3 {
		if n := miss(false); n != 1 {
			t.Errorf("%d times, though nobody has answered", n)
		}
		now = now.After(missPause)
	}
	for want := 2; want <= 300; want++ {
		if n, again := miss(true), miss(true); n != min(want, math.MaxUint8) || again != n {
			t.Fatalf("%d, %d times; want %d", n, again, want)
		}
		now = now.After(missPause)
	}
	mustAt(t, l, now, func(tx *Tx) { tx.PassListTest(zone) })
	if claimsTest(t, l, now, zone) || miss(true) != 1 {
		t.Error("it has passed since")
	}
	mustAt(t, l, now, func(tx *Tx) { tx.DoubtList(zone) })
	if got := listAt(t, l, now, zone); got.Tested || !claimsTest(t, l, now, zone) {
		t.Errorf("in doubt: %+v, or not tested", got)
	}
}

// mustOpenAt opens a ledger without any notes.
func mustOpenAt(t testing.TB, path string, clients int) *Ledger {
	t.Helper()
	l, notes := mustOpen(t, path, clients)
	if len(notes) > 0 {
		t.Fatalf("notes: %q", notes)
	}
	return l
}
