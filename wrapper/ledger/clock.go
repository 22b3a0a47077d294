package ledger

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// The ledger's own time
//
// All times in the file are ledger time: milliseconds that equal wall-clock time when the file is
// made, but continue with CLOCK_BOOTTIME, which nobody can set. A wall clock that jumps therefore
// changes nothing. Only after a reboot does the wall clock say how long the machine was off, and it
// only counts forwards: a clock that comes up in the past shortens and lengthens nothing.

// Moment is one reading of both clocks. It is passed in rather than read, so that a test can let a
// day go by.
type Moment struct {
	Boot time.Duration // CLOCK_BOOTTIME: since boot, sleep included
	Wall time.Time
}

// Now reads the clocks.
func Now() Moment {
	var ts unix.Timespec
	// It cannot fail on Linux 2.6.39 and later.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return Moment{Boot: time.Duration(ts.Nano()), Wall: time.Now()}
}

// timeAt is ledger time at that moment of the boot under way. It takes no lock.
func (l *Ledger) timeAt(now Moment) int64 {
	return max(l.state.lastTick, now.Boot.Milliseconds()+l.header.offset)
}

// clock is [Now] for a process that asks often. Go reads the wall clock and CLOCK_MONOTONIC without
// a system call, but not CLOCK_BOOTTIME. That one gets ahead of CLOCK_MONOTONIC only by a sleep of
// the machine, which puts the wall clock ahead by as much, at the same instant. So it is read again
// if wall clock and CLOCK_MONOTONIC have drifted apart, and once a second in case somebody has set
// the wall clock back by just that.
type clock struct {
	boot time.Duration // CLOCK_BOOTTIME at the last reading
	read time.Time     // when that was; zero: never
	wall int64         // the wall clock's time then, in ns
}

const (
	readBootEvery = time.Second
	clockShift    = time.Millisecond // less than that, the ledger does not count
)

func (c *clock) now() Moment {
	now := time.Now()
	since := now.Sub(c.read) // by CLOCK_MONOTONIC
	shift := time.Duration(now.UnixNano()-c.wall) - since
	if c.read.IsZero() || since >= readBootEvery || max(shift, -shift) >= clockShift {
		return c.readBoot()
	}
	return Moment{Boot: c.boot + since, Wall: now}
}

// readBoot reads both clocks, again if we lost the processor meanwhile.
func (c *clock) readBoot() (m Moment) {
	for range 3 {
		began := time.Now()
		if m = Now(); m.Wall.Sub(began) < clockShift {
			break
		}
	}
	c.boot, c.read, c.wall = m.Boot, m.Wall, m.Wall.UnixNano()
	return m
}

// After is the moment d later.
func (m Moment) After(d time.Duration) Moment {
	return Moment{m.Boot + d, m.Wall.Add(d)}
}

// Boot tells one boot of the kernel from another.
type Boot [16]byte

// ThisBoot reads the kernel's boot id (proc(5), /proc/sys/kernel/random/boot_id). Without /proc it
// is the zero Boot, which always counts as the same boot: then only the pid tells live sessions
// from dead ones.
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

// LaterBoot stands for this boot in [Open]. The ledger calls [ThisBoot] only if the id matters:
// usually the clocks alone show that there was no reboot.
func LaterBoot() Boot { return Boot{0: 0xff, len(Boot{}) - 1: 0xff} }

// thisBoot is the boot id of this process.
func (l *Ledger) thisBoot() Boot {
	if l.boot == LaterBoot() {
		l.boot = ThisBoot()
	}
	return l.boot
}

// maxTime is the last ledger time that is believed, in the year 2527. The wall clock is no measure:
// on a machine without a battery it says 1970 until the network sets it.
const maxTime = 1 << 44

// tick advances the ledger's clock and returns the time in ms. The lock must be held, and nothing
// else may look at the file before.
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
	case h.boot == Boot{} && l.thisBoot() != Boot{}:
		h.boot = l.thisBoot()
		h.bootSum = l.bootSum()
	}
	// The clocks of two processors may differ a little, and now was read before the wait for the
	// lock. Time does not go back for that.
	if tick := boot + h.offset; tick > s.lastTick {
		s.lastTick, s.lastWall = tick, wall
	}
	return s.lastTick
}

// takeForgotten returns how many sessions of an earlier boot this process has forgotten since the
// last call. It was then the first process to use the ledger after a reboot.
func (l *Ledger) takeForgotten() (sessions int) {
	sessions, l.forgotten = l.forgotten, 0
	return sessions
}

// bootShift is by how much, in ms, two readings of the clocks in one boot may differ about the
// moment of boot (btime in proc(5)), unless the wall clock is set.
const bootShift = 5000

// rebooted says whether the kernel has booted since the last operation. Another boot id alone
// proves nothing: a container manager may mount one over the kernel's, and a unit with
// ProtectKernelTunables= hides that mount, so that two processes of one boot see two ids. Wall
// clock and CLOCK_BOOTTIME together must also say another moment of boot. A clock that is far back
// counts as a reboot whatever the boot id says: the ledger cannot continue with it.
func (l *Ledger) rebooted(boot, wall int64) bool {
	h, s := l.header, l.state
	back := s.lastTick - (boot + h.offset)
	if back > time.Hour.Milliseconds() {
		return true
	}
	then, now := s.lastWall-(s.lastTick-h.offset), wall-boot // the moments of boot
	if max(now-then, then-now) <= bootShift || h.boot == (Boot{}) {
		return false
	}
	this := l.thisBoot()
	return this != h.boot && this != (Boot{})
}

// newBoot forgets the sessions of the boot before and sets the clock. If the process is killed
// meanwhile, the next one does it again. The state is undone then, or the time off would count
// twice; the header is not, but its sum does not fit until the end.
func (l *Ledger) newBoot(boot, wall int64) {
	h, s := l.header, l.state
	l.save(stateAt, len(bytesOf(s)))
	last := s.lastTick
	if last <= 0 || last > maxTime {
		last = wall
	} else if off := wall - s.lastWall; s.lastWall > 0 && off > 0 {
		last += off
	}
	clear(l.bitmap)
	s.waiting, s.serving, s.stressed, s.sweepAt = 0, 0, 0, 0
	h.epoch++
	h.offset = last - boot
	s.lastTick, s.lastWall = last, wall
	l.commit()
	h.boot = l.thisBoot()
	h.bootSum = l.bootSum()
}

// bootSum is the checksum of the fields that say how to read all others.
func (l *Ledger) bootSum() uint64 {
	h := l.header
	var b [28]byte
	copy(b[:], h.boot[:])
	binary.NativeEndian.PutUint64(b[16:], uint64(h.offset))
	binary.NativeEndian.PutUint32(b[24:], h.epoch)
	return sipHash(h.seed, b[:])
}
