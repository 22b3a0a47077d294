package ledger

import "golang.org/x/sys/unix"

// livenessCache tells live sessions from dead ones while one operation looks at many of them. It
// remembers what it found out about processes that hold many sessions: otherwise each of a room's
// 20,000 clients would cost a system call with the lock held.
type livenessCache struct {
	own          uint32 // pid of the process that looks: it exists
	now          int64
	readsLeft    int  // start times that may still be read; afterwards existence must do
	recheckRooms bool // read the start times of rooms, however recently they were read
	rooms        [2]procState
	last         int // index of the room that was asked about last
}

// procState is what was found out about a process. Two of them are enough: slots of one room are
// neighbours, but a successor of the room fills the gaps between them.
type procState struct {
	pid   uint32
	start uint64
	alive bool
}

// remember says that the calling process, a room, lives; the zero Process says nothing.
func (c *livenessCache) remember(room Process) {
	if room.PID > 0 {
		c.rooms[c.last] = procState{uint32(room.PID), room.Start, true}
	}
}

// alive says whether exactly the session's process still runs: the pid exists, is no zombie, and
// started when the session says.
func (c *livenessCache) alive(s *session) bool {
	if !s.shared() { // it would only displace what is known of a room
		return c.probe(s)
	}
	for i := range c.rooms {
		if p := &c.rooms[i]; p.pid == s.pid && p.start == s.start {
			return p.alive
		}
	}
	c.last = (c.last + 1) % len(c.rooms)
	c.rooms[c.last] = procState{s.pid, s.start, c.probe(s)}
	return c.rooms[c.last].alive
}

func (c *livenessCache) probe(s *session) bool {
	if s.pid == 0 || s.pid != c.own && !s.exists() {
		return false
	}
	if c.readsLeft == 0 || s.identified(c.now) && !(c.recheckRooms && s.shared()) {
		return true
	}
	c.readsLeft--
	return s.sameProcess(c.now)
}

// exists is the quick check, a fifth of a microsecond: kill(2) with no signal, past Go's scheduler,
// since the lock is held.
func (s *session) exists() bool {
	if s.pid == 0 || s.pid > maxPID {
		return false
	}
	_, _, errno := unix.RawSyscall(unix.SYS_KILL, uintptr(s.pid), 0, 0)
	return errno != unix.ESRCH
}

// identityTTL is for how long, in ms, an existing pid counts as the same process without another
// look at its start time. The kernel hands out pids in turn: before one comes round again it has to
// start all others, 32,768 or more.
const identityTTL = 1000

// identified says whether the start time need not be read now.
func (s *session) identified(now int64) bool {
	return s.start == 0 || s.checked <= now && now-s.checked < identityTTL
}

// sameProcess is the thorough check: it reads the start time.
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
