package ledger

import (
	"testing"
	"time"
)

// Of all processes that want a place within a second, one searches, for as many places as were
// wanted since the last search. What was wanted long before does not count.
func TestWantPlaces(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	want := func(after time.Duration, n int) (seek int) {
		t.Helper()
		if err := l.Do(now.After(after), func(tx *Tx) { seek = tx.WantPlaces(n) }); err != nil {
			t.Fatal(err)
		}
		return seek
	}
	for _, tt := range []struct {
		after time.Duration
		n     int
		seek  int
	}{
		{0, 1, 1},
		{1 * time.Millisecond, 1, 0}, {999 * time.Millisecond, 3, 0},
		{1000 * time.Millisecond, 2, 6},
		{1500 * time.Millisecond, 5, 0}, {1999 * time.Millisecond, 1, 0},
		{3 * time.Second, 1, 1}, // two seconds later: the six have gone
		{3900 * time.Millisecond, 7, 0},
		{time.Hour, 2, 2},
	} {
		if got := want(tt.after, tt.n); got != tt.seek {
			t.Errorf("after %v: look for %d; want %d", tt.after, got, tt.seek)
		}
	}
	looks := 0
	for i := range 1000 {
		if want(2*time.Hour+time.Duration(i)*time.Millisecond, 1) > 0 {
			looks++
		}
	}
	if looks != 1 {
		t.Errorf("of 1000 in a second %d look", looks)
	}
}

// Whatever is in the file, no process searches for more sessions than there can be, and some
// process does search.
func TestWantPlacesDamaged(t *testing.T) {
	l := newLedger(t, MinClients)
	for _, at := range []int64{-1 << 63, -1, 0, 1<<63 - 1} {
		if err := l.Do(Now(), func(tx *Tx) {
			tx.state().searchedAt, tx.state().wanted = at, 1<<32-1
			if got := tx.WantPlaces(1); got < 1 || got > 2*maxWanted {
				t.Errorf("last look at %d: look for %d", at, got)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// The count of idle sessions is kept in a ledger of another size.
func TestCountIdle(t *testing.T) {
	l := newLedger(t, MinClients)
	l.CountIdle()
	l.CountIdle()
	if n, _, err := l.Report(Now()); err != nil || n.Idle != 2 {
		t.Errorf("%d, %v; want 2", n.Idle, err)
	}
	bigger, _, err := Open(l.path, 2*l.records(), l.boot)
	if err != nil {
		t.Fatal(err)
	}
	defer bigger.Close()
	if n, _, err := bigger.Report(Now()); err != nil || n.Idle != 2 {
		t.Errorf("in a larger one %d, %v; want 2", n.Idle, err)
	}
}
