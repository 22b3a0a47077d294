package ledger

import (
	"net/netip"
	"sync/atomic"
)

// observable is how many verdicts can be observed: those from 1 on.
const observable = 16

// observed counts verdicts that refused nobody, of verdict v at v-1. It is changed without the
// lock, too, as the activity of records.
type observed struct {
	counted   [observable]atomic.Uint64
	delivered [observable]atomic.Uint64 // those after which the network sent mail; see Delivers
}

// Observations are how often verdicts refused nobody, and after how many of these the network sent
// mail: once for all that came before a message.
type Observations struct {
	Counted, Delivered uint64
}

func isObservable(verdict int) bool { return 1 <= verdict && verdict <= observable }

// countObserved counts the verdict, and notes it in the network's record; -1 = it has none.
func (l *Ledger) countObserved(record, verdict int) {
	if !isObservable(verdict) {
		return
	}
	l.observed.counted[verdict-1].Add(1)
	if record >= 0 {
		atomic.OrUint32(&l.record(record).observed, 1<<(verdict-1))
	}
}

// CountObserved counts, without the lock, a verdict that refused nobody, on a client whose network
// has no record.
func (l *Ledger) CountObserved(verdict int) {
	l.withoutLock(func() { l.countObserved(-1, verdict) })
}

// Delivers notes that a client of the network has sent mail: whatever would have refused it before
// would have refused a sender of mail. It returns these verdicts.
func (t *Tx) Delivers(network netip.Prefix) (observed []int) {
	i := t.l.find(keyOf(network))
	if i < 0 || t.l.record(i).observed == 0 {
		return nil
	}
	c := t.l.change(i)
	marks := atomic.SwapUint32(&c.observed, 0)
	for v := range observable {
		if marks>>v&1 != 0 {
			t.l.save(observedAt+8*(observable+v), 8)
			t.l.observed.delivered[v].Add(1)
			observed = append(observed, v+1)
		}
	}
	return observed
}

// addObserved fills in the observations.
func (n *Totals) addObserved(o *observed) {
	for v := range observable {
		n.Observed[v+1] = Observations{o.counted[v].Load(), o.delivered[v].Load()}
	}
}

func (o *observed) copyFrom(old *observed) {
	for v := range observable {
		o.counted[v].Store(old.counted[v].Load())
		o.delivered[v].Store(old.delivered[v].Load())
	}
}
