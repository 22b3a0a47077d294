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
