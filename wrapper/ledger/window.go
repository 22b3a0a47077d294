package ledger

import "time"

// steps is the number of steps of a sliding window. It has one cell more, since a window that
// begins in the middle of a step ends in the middle of another.
const steps = 16

// window counts events so that count never leaves out one of the last "per": an event is forgotten
// up to a sixteenth too late, never too early. A cell that is full stays full, so its type must
// hold the highest limit that a count is compared with.
type window[cell uint8 | uint16] struct {
	newest uint32 // number of the newest step: ledger time / step, modulo stepNumbers
	per    uint32 // ms
	cells  [steps + 1]cell
}

// stepNumbers is a multiple of the number of cells, so that cells follow each other where the
// numbers begin again. Those of a limit per second do so after eight years.
const stepNumbers = 1<<32 - 1

// advance forgets what is older than per at ledger time now. If the window has counted with another
// per, because clients of the network have different limits, it uses the longer of the two as long
// as it is not empty: so no client gets more.
func (w *window[cell]) advance(now int64, per time.Duration) {
	ms := uint32(per.Milliseconds())
	w.forget(now)
	if w.per != ms {
		switch n := w.count(); {
		case n == 0:
			*w = window[cell]{per: ms}
		case w.per < ms:
			*w = window[cell]{per: ms}
			w.forget(now)
			w.cells[w.newest%(steps+1)] = cell(min(n, int(^cell(0))))
		}
	}
	w.forget(now)
}

// forget clears the cells that the window has passed.
func (w *window[cell]) forget(now int64) {
	step := (int64(w.per) + steps - 1) / steps
	if step == 0 {
		w.cells = [steps + 1]cell{}
		return
	}
	at := uint64(now/step) % stepNumbers
	passed := (at + stepNumbers - uint64(w.newest)) % stepNumbers
	if passed > steps {
		w.cells = [steps + 1]cell{}
	} else {
		for i := range passed {
			w.cells[(uint64(w.newest)+1+i)%(steps+1)] = 0
		}
	}
	w.newest = uint32(at)
}

// count is the number of events within per. Call advance first.
func (w *window[cell]) count() int {
	n := 0
	for _, c := range w.cells {
		n += int(c)
	}
	return n
}

// add counts n events. Call advance first.
func (w *window[cell]) add(n int) {
	c := &w.cells[w.newest%(steps+1)]
	*c = cell(min(int(*c)+max(n, 0), int(^cell(0))))
}
