package ledger

// Sign says that a room serves with this file, for as long as its process lives. It takes no lock.
// One beside eight others goes unnoticed.
func (l *Ledger) Sign(p Process) {
	l.unlocked(func() {
		for i := range l.apart.rooms {
			sign := &l.apart.rooms[i]
			if was := sign.Load(); was != signOf(p) &&
				(signedByLiving(was) || !sign.CompareAndSwap(was, signOf(p))) {
				continue
			}
			return
		}
	})
}

// HasRoom says whether a room that has signed lives. It takes no lock.
func (l *Ledger) HasRoom() (has bool) {
	l.unlocked(func() {
		for i := range l.apart.rooms {
			has = has || signedByLiving(l.apart.rooms[i].Load())
		}
	})
	return has
}

// signShift is where in a sign the pid begins. What is left for the start time is 1,400 years.
const signShift = 42

// signOf is a process in one word.
func signOf(p Process) uint64 { return uint64(p.PID)<<signShift | p.Start&(1<<signShift-1) }

func signedByLiving(sign uint64) bool {
	p, err := Identify(int(sign >> signShift))
	return err == nil && signOf(p) == sign
}
