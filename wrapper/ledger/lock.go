package ledger

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a process waits for the lock while a stopped process holds it. Then it
// carries on without the ledger.
const Patience = 40 * time.Millisecond

// How long a process waits at most while others run.
const (
	// crowdPatience is for the lock while other processes get it: of a thousand clients that come
	// at once each has to be counted, or too many would get in.
	crowdPatience = 5 * time.Second

	// stallPatience is for one holder of the lock. A holder without a processor seems to hang for
	// up to a second on a machine with hundreds of processes for each processor; one whose disk
	// fails hangs for ever.
	stallPatience = 5 * time.Second
)

// ErrBusy is what a [HeldError] is, for errors.Is.
var ErrBusy = errors.New("ledger is held by another process")

// HeldError says that the process that holds the lock does not release it: it is stopped, or has
// held the lock for seconds.
type HeldError struct {
	PID     int // 0 = unknown
	Stopped bool
}

func (e *HeldError) Error() string {
	process := "process " + strconv.Itoa(e.PID)
	if e.Stopped {
		return "ledger is held by " + process + ", which is stopped; continue or kill it"
	}
	return "ledger was held by " + process + " for " + stallPatience.String() +
		"; see whether it or its disk hangs"
}

func (e *HeldError) Is(target error) bool { return target == ErrBusy }

// ErrCrowded says that other processes got the lock all the time, and this one did not.
var ErrCrowded = errors.New("ledger is crowded")

// ErrLost says that the file was truncated or damaged, or its disk failed, while it was mapped. The
// Ledger is of no more use. Opening it again sets the file aside and makes a new one.
var ErrLost = errors.New("ledger was truncated or its disk failed")

// lock takes the lock of an open file. It waits for crowd at most, and no longer than Patience and
// stallPatience allow for one holder. flock(2) is the kernel's lock: it is released the moment its
// holder dies, and no byte in the file can fake it. holder tells a crowd from one process that
// keeps the lock. The bell wakes waiting processes; if the process that rings it is killed, they
// find out by themselves within longestPause. Builders have no bell.
func lock(fd int, holder func() uint64, b *bell, crowd time.Duration, s *stall) error {
	patience := min(Patience, crowd)
	var began time.Time
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		rung := b.listen(!began.IsZero())
		err := flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err == unix.EINTR:
			continue
		case err != unix.EWOULDBLOCK:
			return err
		}
		now, current := time.Now(), holder()
		if began.IsZero() {
			began = now
			s.reset()
			s.observe(current, now)
			continue
		}
		s.observe(current, now)
		waited := now.Sub(began)
		lasts := now.Sub(s.since)
		if waited >= patience && lasts >= patience/2 { // else it has just begun, and others get on
			if held := stuck(fd, current, lasts); held != nil && holder() == current {
				return held
			}
		}
		switch {
		case waited >= crowd:
			return ErrCrowded
		case waited < patience:
			pause = min(pause, patience-waited)
		default:
			pause = min(pause, crowd-waited)
		}
		b.wait(rung, pause)
	}
}

// The pauses between two tries of a process that is not woken: each is twice the last, so that a
// thousand waiting processes leave the processors to the one that works.
const shortestPause, longestPause = 100 * time.Microsecond, Patience / 2

// stall is for how long the same holder has had the lock. A caller whose patience is shorter than
// stallPatience finds that out in several tries.
type stall struct {
	holder uint64
	since  time.Time
}

func (s *stall) observe(holder uint64, now time.Time) {
	if s.since.IsZero() || s.holder != holder {
		*s = stall{holder, now}
	}
}

// reset begins a new try. A holder that has named itself is kept: its number cannot come again.
func (s *stall) reset() {
	if s.holder&pidMask == 0 {
		*s = stall{}
	}
}

// pidMask is the part of undo.holder that names the process that holds the lock; 0 until it has.
const pidMask = 1<<32 - 1

// setHolder says that the process with that pid holds the lock, clearHolder that it no longer does.
func (u *undo) setHolder(pid uint32) {
	u.holder.Store((u.holder.Load()>>32+1)<<32 | uint64(pid))
}
func (u *undo) clearHolder() { u.holder.Store(u.holder.Load() &^ pidMask) }

// stuck is the error about a holder that has had the lock for that long, if it will not release it.
// If the holder has not named itself yet, the kernel knows it.
func stuck(fd int, holder uint64, lasts time.Duration) error {
	pid := int(holder & pidMask)
	if pid == 0 {
		pid = flockHolder(fd)
	}
	if stopped := processIsStopped(pid); stopped || lasts >= stallPatience {
		return &HeldError{pid, stopped}
	}
	return nil
}

// flock calls flock(2) past Go's scheduler. With LOCK_NB it does not wait, and a thread that has
// just got the lock must not queue for a processor among those that wait for it.
func flock(fd, how int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_FLOCK, uintptr(fd), uintptr(how), 0); errno != 0 {
		return errno
	}
	return nil
}

// Do runs work with the lock held. What work does through its Tx is done completely or not at all,
// also if the process is killed meanwhile. All other processes wait, so work must compute and
// nothing else. A Tx ends with its Do.
//
// Do returns a [HeldError], [ErrCrowded], [ErrLost] or an error of flock(2). Then work has not run,
// or its effect is undone. A Ledger may be used by one goroutine at a time.
func (l *Ledger) Do(now Moment, work func(*Tx)) error {
	return l.locked(&now, work)
}

// locked is Do, or without a moment the same for work that only reads and has nothing to do with
// time.
func (l *Ledger) locked(now *Moment, work func(*Tx)) (err error) {
	if l == nil || l.lost {
		return ErrLost
	}
	if l.readOnly {
		return unix.EROFS
	}
	defer l.catchFault(&err, setPanicOnFault(true))
	crowd := l.CrowdPatience
	if crowd <= 0 {
		crowd = crowdPatience
	}
	l.yield()
	if err := lock(l.lockFD, l.undo.holder.Load, &l.undo.bell, crowd, &l.stall); err != nil {
		return err
	}
	defer l.unlock()
	l.undo.setHolder(l.pid)
	l.rollback()
	tx := Tx{l: l}
	if now != nil {
		tx.now = l.tick(*now)
		tx.checkpoint()
	}
	work(&tx)
	l.commit()
	l.undo.clearHolder()
	return nil
}

// unlock releases the lock.
func (l *Ledger) unlock() {
	_ = flock(l.lockFD, unix.LOCK_UN)
	l.undo.bell.ring()
}

// release ends the builder's lock.
func (l *Ledger) release() (err error) {
	defer l.catchFault(&err, setPanicOnFault(true))
	_ = flock(l.fd, unix.LOCK_UN)
	l.undo.bell.ring()
	return nil
}

// catchFault turns the SIGBUS of a missing page into ErrLost. The next operation undoes what the
// work that panicked has left half done, as after a crash.
func (l *Ledger) catchFault(err *error, old bool) {
	setPanicOnFault(old)
	switch r := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		l.lost = true
		*err = ErrLost
	default:
		if r != errDamaged {
			panic(r)
		}
		l.lost = true
		*err = ErrLost
	}
}
