package ledger

import "time"

// Verdicts is how many kinds of verdict the ledger can count. The caller decides what they mean.
// The numbers must keep their meaning as long as files do.
const Verdicts = 32

// The delay histograms have steps of 0.1 s up to 10 s and of 1 s up to 300 s. The last cell counts
// everything later.
const (
	fineCells  = 100
	delayCells = fineCells + 290
)

// Count counts one verdict.
func (t *Tx) Count(verdict int) {
	if verdict >= 0 && verdict < Verdicts {
		t.keepPast()
		t.increment(totalsAt + 8*verdict)
	}
}

// Spoke counts a client that spoke during the greet delay, after that time.
func (t *Tx) Spoke(after time.Duration) {
	t.increment(delayAt(0, delayCell(after)))
}

// Left counts a client that hung up during the greet delay, after that time.
func (t *Tx) Left(after time.Duration) {
	t.increment(delayAt(1, delayCell(after)))
}

// delayAt is where that cell of the first or second histogram is.
func delayAt(histogram, cell int) int {
	if cell < fineCells {
		return totalsAt + 8*(Verdicts+histogram*fineCells+cell)
	}
	return lateAt + 8*(histogram*(delayCells-fineCells)+cell-fineCells)
}

func (t *Tx) increment(at int) {
	t.l.save(at, 8)
	*view[uint64](t.l.mem, at)++
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

// DelayStep is the delay at which cell i of a histogram begins.
func DelayStep(i int) time.Duration {
	if i < fineCells {
		return time.Duration(i) * 100 * time.Millisecond
	}
	return time.Duration(i-fineCells+10) * time.Second
}
