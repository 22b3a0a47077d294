package ledger

import "golang.org/x/sys/unix"

// census tells living sessions from dead ones, for as long as one look at many of them takes. What
// it finds out about a process that holds many sessions holds for all of these: else each of 20,000
// clients of a room would cost a system call with the lock held.
type census struct {
	now   int64
	reads int  // so many start times it may yet read; processes beyond are only asked whether they exist
	anew  bool // the start time of one that holds many is read even if it is not time for that
	rooms [2]verdictOn
	last  int // which of the rooms was asked about last
}

// verdictOn is what was found out about a process. Two of them are enough: slots of one room
// are neighbours, but another that takes its place fills the gaps between.
type verdictOn struct {
	pid   uint32
	start uint64
	alive bool
}

// alive says whether the session's very process still runs: the pid exists, is no zombie, and
// started when the session says.
func (c *census) alive(s *session) bool {
	if !s.shared() { // one of its kind: it would only push out what is known of a room
		return c.ask(s)
	}
	for i := range c.rooms {
		if v := &c.rooms[i]; v.pid == s.pid && v.start == s.start {
			return v.alive
		}
	}
	c.last = (c.last + 1) % len(c.rooms)
	c.rooms[c.last] = verdictOn{s.pid, s.start, c.ask(s)}
	return c.rooms[c.last].alive
}

func (c *census) ask(s *session) bool {
	if !s.exists() {
		return false
	}
	if c.reads == 0 || s.identified(c.now) && !(c.anew && s.shared()) {
		return true
	}
	c.reads--
	return s.sameProcess(c.now)
}

// exists is the quick half, a fifth of a microsecond: kill(2) with no signal, and
// past Go's scheduler, since it is called with the lock held.
func (s *session) exists() bool {
	if s.pid == 0 || s.pid > maxPID {
		return false
	}
	_, _, errno := unix.RawSyscall(unix.SYS_KILL, uintptr(s.pid), 0, 0)
	return errno != unix.ESRCH
}

// identityGood is how long a pid that still exists is believed to be the same process
// without reading its start time, in ms. The kernel hands out pids in turn: for one to
// come round again it has to start all the others first, 32,768 of them or more.
const identityGood = 1000

// identified says whether it is not yet time to look at the start time again.
func (s *session) identified(now int64) bool {
	return s.start == 0 || s.checked <= now && now-s.checked < identityGood
}

// sameProcess is the other half: it reads the start time.
func (s *session) sameProcess(now int64) bool {
	start, err := startTime(int(s.pid))
	if err != nil {
		return err != errDead
	}
	if start != s.start && s.start != 0 {
		return false
	}
	s.checked = now
	return true
}
