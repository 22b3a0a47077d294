package ledger

import (
	"runtime"
	"time"
)

// yieldEvery is well below the 10 ms after which Go's scheduler preempts (sysmon, forcePreemptNS).
const yieldEvery = 5 * time.Millisecond

// yield lets Go's scheduler preempt the caller. It does so as soon as a process that has had no
// processor for 10 ms gets one: that must happen here, and not while the lock is held. A process
// that yields for each of its clients would pay dearly: each time, the scheduler wakes a second
// thread to see whether there is more to do, and often goes on in that one.
func (l *Ledger) yield() {
	if time.Since(l.yielded) >= yieldEvery {
		runtime.Gosched()
		l.yielded = time.Now()
	}
}

// populateMost is the size of a ledger of 200,000 clients.
const populateMost = 64 << 20

// populate has the pages of a ledger of usual size ready before clients come. Each first write to a
// page costs several microseconds, or a disk's time, while the lock is held; and in a flood nearly
// every client has a page of its own. Lookups are left out: without lists there are none.
func (l *Ledger) populate() {
	if end := l.geo.lookupsAt(); end <= populateMost {
		l.mem[:end].populate()
	}
}
