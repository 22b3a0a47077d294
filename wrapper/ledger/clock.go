package ledger

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// The ledger's own time
//
// All times in the file are ledger time: milliseconds that look like wall-clock time
// when the file is made, but go on with CLOCK_BOOTTIME, which nobody can set.
// A wall clock that jumps therefore changes nothing. Only across a reboot is the wall clock
// asked how long the machine was away, and only forwards: one that comes up
// in the past shortens nothing and lengthens nothing.

// Moment is one reading of both clocks. It is passed in rather than read, so that
// a test can let a day go by.
type Moment struct {
	Boot time.Duration // CLOCK_BOOTTIME: since boot, sleep included
	Wall time.Time
}

// Now reads the clocks.
func Now() Moment {
	var ts unix.Timespec
	// CLOCK_BOOTTIME cannot fail on Linux 2.6.39 and later.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return Moment{Boot: time.Duration(ts.Nano()), Wall: time.Now()}
}

// After is the moment d later.
func (m Moment) After(d time.Duration) Moment {
	return Moment{m.Boot + d, m.Wall.Add(d)}
}

// Boot tells one boot of the kernel from another.
type Boot [16]byte

// ThisBoot reads the kernel's boot id (proc(5), /proc/sys/kernel/random/boot_id). Without
// /proc it is the zero Boot, which is taken for the same boot always: sessions are then
// told from dead ones by pid alone.
func ThisBoot() Boot {
	var text [37]byte
	n := readFile("/proc/sys/kernel/random/boot_id", text[:])
	var boot Boot
	digits := 0
	for _, c := range text[:n] {
		var v byte
		switch {
		case '0' <= c && c <= '9':
			v = c - '0'
		case 'a' <= c && c <= 'f':
			v = c - 'a' + 10
		default:
			continue
		}
		if digits < 2*len(boot) {
			boot[digits/2] |= v << (4 * (1 - digits%2))
			digits++
		}
	}
	return boot
}

// endOfTime is the last ledger time that is believed, in the year 2527. The wall clock is no
// measure: on a machine without one of its own it says 1970 until the network tells better.
const endOfTime = 1 << 44

// tick brings the clock up to now and returns the ledger time in ms. It must be
// called with the lock held, before anything else looks at the file.
func (l *Ledger) tick(now Moment) int64 {
	h, s := l.header, l.state
	boot, wall := now.Boot.Milliseconds(), now.Wall.UnixMilli()
	switch {
	case h.bootSum != l.bootSum():
		l.newBoot(boot, wall)
	case l.rebooted(boot, wall):
		n := l.totalsOf(s)
		l.forgotten = min(n.Waiting+n.Serving, int(l.geo.slots))
		l.newBoot(boot, wall)
	case h.boot == Boot{} && l.boot != Boot{}:
		h.boot = l.boot
		h.bootSum = l.bootSum()
	}
	// Two processors' clocks may differ by a hair; time does not go back for that.
	// And now may be old: it was read before the wait for the lock.
	if tick := boot + h.offset; tick > s.lastTick {
		s.lastTick, s.lastWall = tick, wall
	}
	return s.lastTick
}

// bootShift is how far two readings of the clocks may differ about the moment of boot (btime in
// proc(5)) in one boot, in ms, unless somebody sets the wall clock.
const bootShift = 5000

// rebooted says whether the kernel has booted since the last work. Another boot id alone proves
// nothing: a container manager may bind one over the kernel's, and a unit with
// ProtectKernelTunables= takes that away, so that two processes of one boot see two. The clocks
// must agree: wall clock and CLOCK_BOOTTIME together tell of another moment of boot. A clock of the
// past, in whatever boot, is no time to go on with.
func (l *Ledger) rebooted(boot, wall int64) bool {
	h, s := l.header, l.state
	back := s.lastTick - (boot + h.offset)
	if back > time.Hour.Milliseconds() {
		return true
	}
	if h.boot == l.boot || h.boot == (Boot{}) || l.boot == (Boot{}) {
		return false
	}
	wasBooted, isBooted := s.lastWall-(s.lastTick-h.offset), wall-boot
	return max(isBooted-wasBooted, wasBooted-isBooted) > bootShift
}

// newBoot forgets the sessions of the boot before and sets the clock on. A process killed
// in the midst of it leaves it to the next. The state is undone then, or the time
// away would count twice; the header is not, but its sum does not fit until the very end.
func (l *Ledger) newBoot(boot, wall int64) {
	h, s := l.header, l.state
	l.save(stateAt, len(bytesOf(s)))
	last := s.lastTick
	if last <= 0 || last > endOfTime {
		last = wall
	} else if away := wall - s.lastWall; s.lastWall > 0 && away > 0 {
		last += away
	}
	clear(l.bitmap)
	s.waiting, s.serving, s.stressed, s.sweepAt = 0, 0, 0, 0
	h.epoch++
	h.offset = last - boot
	s.lastTick, s.lastWall = last, wall
	l.forget()
	h.boot = l.boot
	h.bootSum = l.bootSum()
}

// bootSum guards the fields that say how to read all the others.
func (l *Ledger) bootSum() uint64 {
	h := l.header
	var b [28]byte
	copy(b[:], h.boot[:])
	binary.NativeEndian.PutUint64(b[16:], uint64(h.offset))
	binary.NativeEndian.PutUint32(b[24:], h.epoch)
	return sipHash(h.seed, b[:])
}
