package ledger

import "sync/atomic"

// tellEvery is after how many seconds a text is told again.
const tellEvery = 60

// Tells says whether the caller is the one to log a text that any other process has reason to log,
// too: one in a minute is. Of more than eight texts some may be told more often. It takes no lock;
// with a file that is lost every process tells.
//
// Times are seconds since boot. After a reboot a text may wait for a minute.
func (l *Ledger) Tells(now Moment, text string) (tell bool) {
	return !l.unlocked(func() {
		sum, at := uint32(sipHash(l.header.seed, []byte(text))), uint32(now.Boot.Seconds())
		var oldest *atomic.Uint64
		var was uint64
		age := int64(-1)
		for i := range l.apart.told {
			is := l.apart.told[i].Load()
			past := int64(at) - int64(is>>32)
			switch {
			case past < 0 || past >= tellEvery:
				past = tellEvery
			case uint32(is) == sum:
				return
			}
			if past > age {
				oldest, was, age = &l.apart.told[i], is, past
			}
		}
		tell = oldest.CompareAndSwap(was, uint64(at)<<32|uint64(sum))
	}) || tell
}
