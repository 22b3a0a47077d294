package lab

import (
	"slices"
	"testing"
	"time"
)

// Waits are measured waits, and controls of the same moments, which show how late the machine was.
type Waits struct {
	took, late []time.Duration
}

// Add adds a wait and its control.
func (w *Waits) Add(took, late time.Duration) {
	w.took, w.late = append(w.took, took), append(w.late, late)
}

// Measure does work a few times, each time with a control behind it.
func (w *Waits) Measure(work func()) {
	for range 7 {
		began := time.Now()
		work()
		w.Add(time.Since(began), Lateness())
	}
}

// Lateness returns how much too long a sleep takes here and now.
func Lateness() time.Duration {
	const nap = 40 * time.Millisecond
	began := time.Now()
	time.Sleep(nap)
	return time.Since(began) - nap
}

// mostly reports whether most of the waits keep a promise, apart from what the controls explain.
func (w *Waits) mostly(most time.Duration) bool {
	middle := len(w.took) / 2
	return w.took[0] <= most+w.late[0] && w.took[middle] <= most+2*w.late[middle]
}

// all reports whether the longest wait does, too, with bounds that are twice as wide.
func (w *Waits) all(most time.Duration) bool {
	worst := len(w.took) - 1
	return w.mostly(most) && w.took[worst] <= 2*most+4*w.late[worst]
}

// onTime is how late a sleep may be on a machine that has little else to do.
const onTime = 2 * time.Millisecond

// InTime compares measured waits with a promise. If most of them break it although no control was
// late, the test fails at once. It measures again if the machine was busy: a control was late, or
// only the longest wait was too long.
func InTime(t testing.TB, what string, most time.Duration, measure func(*Waits)) {
	t.Helper()
	for deadline := time.Now().Add(Patience); ; {
		var w Waits
		measure(&w)
		slices.Sort(w.took)
		slices.Sort(w.late)
		if w.all(most) {
			t.Logf("%s: %v; sleeps were late by %v", what, w.took, w.late)
			return
		}
		broken := !w.mostly(most) && slices.Max(w.late) < onTime
		if broken || time.Now().After(deadline) {
			t.Fatalf("%s: %v; want %v at most; sleeps were late by %v", what, w.took, most, w.late)
		}
	}
}
