package top

import (
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

const (
	stepTime  = 5 * time.Second // of a column of the graph
	stepsKept = 240             // 20 minutes
)

// history are the verdicts of the last minutes, from the differences between looks.
type history struct {
	last  [ledger.Verdicts]uint64
	at    time.Time // of last; zero = there was no look
	steps []step    // the newest last
}

// step is what was counted in a part of stepTime, or in all of it.
type step struct {
	began    time.Time
	seconds  float64
	verdicts [ledger.Verdicts]uint64
}

// add takes in a look. Counts that are lower than before are those of another ledger.
func (h *history) add(p *Picture) {
	seconds := p.At.Sub(h.at).Seconds()
	before := h.last
	first := h.at.IsZero()
	h.last, h.at = p.Totals.Verdicts, p.At
	if first || seconds <= 0 {
		return
	}
	began := p.At.Truncate(stepTime)
	if n := len(h.steps); n == 0 || !h.steps[n-1].began.Equal(began) {
		h.steps = append(h.steps[max(0, n+1-stepsKept):], step{began: began})
	}
	s := &h.steps[len(h.steps)-1]
	s.seconds += seconds
	for v, n := range p.Totals.Verdicts {
		if n > before[v] {
			s.verdicts[v] += n - before[v]
		}
	}
}

// forget makes the next look the first: the ledger is another one, or looks were paused.
func (h *history) forget() { h.at = time.Time{} }

// rate is how often a second the clients came that the function selects.
func (s *step) rate(of func(decide.Verdict) bool) float64 {
	n := uint64(0)
	for _, v := range decide.Verdicts() {
		if of(v) {
			n += s.verdicts[v]
		}
	}
	return float64(n) / max(s.seconds, 1)
}

// late is the sum of the last minute.
func (h *history) late() (sum step) {
	for _, s := range h.steps[max(0, len(h.steps)-int(time.Minute/stepTime)):] {
		sum.seconds += s.seconds
		for v, n := range s.verdicts {
			sum.verdicts[v] += n
		}
	}
	return sum
}

// isArrival says whether a client has come: those of the guard's verdicts came before.
func isArrival(v decide.Verdict) bool { return !v.OfGuard() }
