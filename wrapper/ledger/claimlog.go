package ledger

import "sync/atomic"

// logEvery is after how many seconds the same text may be logged again.
const logEvery = 60

// ClaimLog reports whether the caller is to log a text that other processes have reason to log,
// too: one process a minute is. If there are more than eight texts, some may be logged more often.
// It takes no lock; with a lost file every process logs.
//
// It is apart from the limiters of single processes (package maillog), since a process with one
// client cannot know what others have logged. Times are seconds since boot: after a reboot a text
// may wait for a minute.
func (l *Ledger) ClaimLog(now Moment, text string) (claimed bool) {
	return !l.withoutLock(func() {
		sum, at := uint32(sipHash(l.header.seed, []byte(text))), uint32(now.Boot.Seconds())
		var oldest *atomic.Uint64
		var entry uint64
		oldestAge := int64(-1)
		for i := range l.unlocked.logged {
			e := l.unlocked.logged[i].Load()
			age := int64(at) - int64(e>>32)
			switch {
			case age < 0 || age >= logEvery:
				age = logEvery
			case uint32(e) == sum:
				return
			}
			if age > oldestAge {
				oldest, entry, oldestAge = &l.unlocked.logged[i], e, age
			}
		}
		claimed = oldest.CompareAndSwap(entry, uint64(at)<<32|uint64(sum))
	}) || claimed
}
