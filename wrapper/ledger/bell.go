package ledger

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// bell is in the file and wakes the processes that wait for its lock, by futex(2). The lock does
// not depend on it: whatever its bytes say, and whichever process is killed, it can only wake too
// many processes, or wake them too late.
type bell struct {
	rung   atomic.Uint32 // how often; waiting processes sleep on this word
	wanted atomic.Uint32 // 1 = a process may be waiting
}

// listen says that the caller is about to try the lock and may then wait. It returns what wait
// needs. If the lock is released in between, wait does not sleep.
func (b *bell) listen(waiting bool) (rung uint32) {
	if b == nil || !waiting {
		return 0
	}
	rung = b.rung.Load()
	b.wanted.Store(1)
	return rung
}

// wait sleeps until the bell rings, and for d at most.
func (b *bell) wait(rung uint32, d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	if b == nil || !futexWait(&b.rung, rung, &ts) {
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: only an earlier try
	}
}

// ring wakes one of the waiting processes. That one calls listen before it tries the lock, so the
// next holder of the lock rings again.
func (b *bell) ring() {
	if b.wanted.Load() != 0 && b.wanted.Swap(0) != 0 {
		b.rung.Add(1)
		futexWake(&b.rung)
	}
}
