package ledger

import "testing"

// A network's message counts once for each verdict that was observed before it, and a verdict that
// has no place changes nothing.
func TestObserved(t *testing.T) {
	l := newLedger(t, MinClients)
	do := func(work func(*Tx)) {
		if err := l.Do(Now(), work); err != nil {
			t.Fatal(err)
		}
	}
	do(func(tx *Tx) {
		for _, v := range []int{6, 6, 16, 17, 0} {
			tx.CountFor(networkN(1), Event{Verdict: v, Observed: true})
		}
		tx.Delivers(networkN(1))
		tx.Delivers(networkN(1))
		tx.Delivers(networkN(2))
	})
	l.CountUnlockedFor(networkN(1), Event{Verdict: 6, Observed: true}, Now())
	l.CountObserved(1)
	do(func(tx *Tx) { tx.Delivers(networkN(1)) })
	n, _, err := l.Report(Now())
	want := [Verdicts]Observations{1: {1, 0}, 6: {3, 2}, 16: {1, 1}}
	if err != nil || n.Observed != want {
		t.Errorf("%v, %v; want %v", n.Observed, err, want)
	}
	if end := observedAt + len(bytesOf(new(observed))); observedAt !=
		pastAt+len(bytesOf(new(past))) || end > unlockedAt {
		t.Errorf("observed is at %d to %d", observedAt, end)
	}
}
