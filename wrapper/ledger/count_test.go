package ledger

import (
	"math"
	"path/filepath"
	"testing"
	"time"
)

// Every delay is counted in the cell that begins at or below it.
func TestCountsInCells(t *testing.T) {
	for i := range delayCells {
		begins := DelayStep(i)
		if got := delayCell(begins); got != i {
			t.Errorf("%v, where cell %d begins, is counted in cell %d", begins, i, got)
		}
		if i > 0 {
			if got := delayCell(begins - 1); got != i-1 {
				t.Errorf("just before %v is counted in cell %d; want %d", begins, got, i-1)
			}
		}
	}
	for d, want := range map[time.Duration]int{
		-1: 0, math.MinInt64: 0, 0: 0, 1: 0, 100*time.Millisecond - 1: 0, 100 * time.Millisecond: 1,
		9999 * time.Millisecond: 99,
		10 * time.Second:        100, 11*time.Second - 1: 100, 299 * time.Second: 389,
		300 * time.Second: 389, time.Hour: 389, math.MaxInt64: 389,
	} {
		if got := delayCell(d); got != want {
			t.Errorf("%v is counted in cell %d; want %d", d, got, want)
		}
	}
}

// Counts are what was counted, also for another process, after a reboot, and in a rebuilt file.
func TestCountsSurvive(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _, err := Open(path, MinClients, bootN(1))
	if err != nil {
		t.Fatal(err)
	}
	for n := range Verdicts {
		for range n + 1 {
			must(t, l, func(tx *Tx) { tx.Count(n) })
		}
	}
	for i := range delayCells {
		must(t, l, func(tx *Tx) {
			tx.Spoke(DelayStep(i))
			tx.Left(DelayStep(i))
			if i%2 == 0 {
				tx.Left(DelayStep(i))
			}
		})
	}
	must(t, l, func(tx *Tx) { // neither is anything
		tx.Count(-1)
		tx.Count(Verdicts)
	})
	shut(l)
	for _, reopened := range []struct{ clients, boot int }{{MinClients, 1}, {MinClients, 2},
		{4096, 2}, {MinClients, 3}} {
		l, _, err := Open(path, reopened.clients, bootN(reopened.boot))
		if err != nil {
			t.Fatal(err)
		}
		var n Totals
		must(t, l, func(tx *Tx) { n = tx.Totals() })
		for i, got := range n.Verdicts {
			if got != uint64(i+1) {
				t.Errorf("%+v: verdict %d was counted %d times; want %d", reopened, i, got, i+1)
			}
		}
		for i := range delayCells {
			if n.Spoke[i] != 1 || n.Left[i] != uint64(2-i%2) {
				t.Errorf("%+v: cell %d holds %d, %d", reopened, i, n.Spoke[i], n.Left[i])
			}
		}
		if len(n.Spoke) != delayCells || len(n.Left) != delayCells {
			t.Errorf("histograms of %d and %d cells; want %d", len(n.Spoke), len(n.Left),
				delayCells)
		}
		shut(l)
	}
}

// Stress begins at 80 % of a limit and ends below 60 %.
func TestCountsOfStress(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	var in []Session
	is := func() (stressed bool) {
		now = now.After(time.Second)
		mustAt(t, l, now, func(tx *Tx) {
			a := from(hostN(1))
			a.Limits = Limits{Serving: 10, Waiting: 1000}
			stressed = tx.Look(a).Stressed
		})
		return stressed
	}
	for _, up := range []bool{true, false, true} {
		for 0 < len(in) || up {
			want := len(in) >= 8
			if !up {
				want = len(in) >= 6
			}
			if got := is(); got != want {
				t.Errorf("%d of 10 serving: stressed %v; want %v", len(in), got, want)
			}
			if up && len(in) == 10 {
				break
			}
			mustAt(t, l, now, func(tx *Tx) {
				if up {
					s, _ := tx.Enter(from(hostN(2)), Self())
					tx.Serve(s)
					in = append(in, s)
				} else {
					tx.Leave(in[len(in)-1])
					in = in[:len(in)-1]
				}
			})
		}
	}
}
