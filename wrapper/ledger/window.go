package ledger

import "time"

// steps is how finely a sliding window is counted. One cell more than that is kept,
// since a window that begins in the midst of a step ends in the midst of another.
const steps = 16

// window counts events so that count never leaves out one of the last "per", wherever
// they fall: an event is forgotten a sixteenth too late at most, never too early.
type window struct {
	newest int64  // number of the newest step: ledger time / step
	per    uint32 // ms; counts of another length are worth nothing
	cells  [steps + 1]uint16
	_      uint16
}

// advance forgets what is older than per at ledger time now.
func (w *window) advance(now int64, per time.Duration) {
	ms := per.Milliseconds()
	step := (ms + steps - 1) / steps
	if w.per != uint32(ms) || step == 0 {
		*w = window{per: uint32(ms)}
	}
	if step == 0 {
		return
	}
	at := now / step
	if passed := at - w.newest; passed < 0 || passed > steps {
		w.cells = [steps + 1]uint16{}
	} else {
		for i := w.newest + 1; i <= at; i++ {
			w.cells[i%(steps+1)] = 0
		}
	}
	w.newest = at
}

// count is the number of events since then. Call advance first.
func (w *window) count() int {
	n := 0
	for _, c := range w.cells {
		n += int(c)
	}
	return n
}

// add counts one event. Call advance first.
func (w *window) add() {
	if cell := &w.cells[w.newest%(steps+1)]; *cell < ^uint16(0) {
		*cell++
	}
}
