package ledger

import "time"

// Verdicts is how many kinds of verdict the ledger can count. What they mean is the
// caller's; the numbers must keep their meaning as long as files do.
const Verdicts = 16

// The delay histograms have steps of 0.1 s up to 10 s and of 1 s up to 300 s; the
// last cell holds whatever came later.
const (
	fineCells  = 100
	delayCells = fineCells + 290
)

// Count counts one verdict.
func (t *Tx) Count(verdict int) {
	if verdict >= 0 && verdict < Verdicts {
		t.increment(&t.l.totals.verdicts[verdict], totalsAt+8*verdict)
	}
}

// Spoke notes after how long a client spoke during the greet delay, Left after how
// long one hung up.
func (t *Tx) Spoke(after time.Duration) {
	i := delayCell(after)
	t.increment(&t.l.totals.spoke[i], totalsAt+8*(Verdicts+i))
}

// Left notes after how long a client hung up during the greet delay.
func (t *Tx) Left(after time.Duration) {
	i := delayCell(after)
	t.increment(&t.l.totals.left[i], totalsAt+8*(Verdicts+delayCells+i))
}

func (t *Tx) increment(n *uint64, at int) {
	t.l.save(at, 8)
	*n++
}

func delayCell(d time.Duration) int {
	if d < 0 {
		return 0
	}
	if tenths := int(d / (100 * time.Millisecond)); tenths < fineCells {
		return tenths
	}
	return min(fineCells+int(d/time.Second)-10, delayCells-1)
}

// DelayStep is the delay with which cell i of a histogram begins.
func DelayStep(i int) time.Duration {
	if i < fineCells {
		return time.Duration(i) * 100 * time.Millisecond
	}
	return time.Duration(i-fineCells+10) * time.Second
}
