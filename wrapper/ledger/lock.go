package ledger

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a process waits for the lock while a stopped one has it. Then it carries on
// without the ledger.
const Patience = 40 * time.Millisecond

// How long a process waits at most while others run.
const (
	// crowdPatience is for a turn, while others get theirs: of a thousand that come at once each
	// has to be counted, or too many would get in.
	crowdPatience = 5 * time.Second

	// stillPatience is for one turn of another process to end. A holder that has no processor looks
	// like this for up to a second on a machine with hundreds of processes for each; a disk that
	// fails, for ever.
	stillPatience = 5 * time.Second
)

// ErrBusy is what a [HeldError] is, for errors.Is.
var ErrBusy = errors.New("ledger is held by another process")

// HeldError says that the process that has the lock does not go on: it is stopped, or its turn did
// not end for seconds.
type HeldError struct {
	PID     int // 0 where it cannot be known
	Stopped bool
}

func (e *HeldError) Error() string {
	if e.Stopped {
		return fmt.Sprintf("ledger is held by process %d, which is stopped; continue or kill it", e.PID)
	}
	return fmt.Sprintf("ledger was held by process %d for %v; see whether it or its disk hangs",
		e.PID, stillPatience)
}

func (e *HeldError) Is(target error) bool { return target == ErrBusy }

// ErrCrowded says that others got the lock all the time, but not we.
var ErrCrowded = errors.New("ledger is crowded")

// ErrLost says that the file was cut off, damaged, or its disk failed while it was mapped. The
// Ledger is of no use any more; opening it again sets the file aside and makes a new one.
var ErrLost = errors.New("ledger was truncated or its disk failed")

// lock takes the lock of an open file. It waits for crowd at most, and no longer than Patience and
// stillPatience say for one whose turn does not end. flock(2) is the kernel's: it is gone the
// moment its holder is, and no byte in the file can fake it. The turn tells a crowd from one
// process that holds the lock. The bell wakes those that wait; if its ringer is killed they find
// out by themselves within longestPause. Builders have no bell.
func lock(fd int, turn func() uint64, b *bell, crowd time.Duration, still *standstill) error {
	patience := min(Patience, crowd)
	// A process that has had no processor for 10 ms is preempted by Go's scheduler as soon as it
	// gets one (sysmon, forcePreemptNS). Its time begins here, and not in the midst of the work
	// that the lock is for.
	runtime.Gosched()
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
		now, is := time.Now(), turn()
		if began.IsZero() {
			began = now
			still.forget()
			still.see(is, now)
			continue
		}
		still.see(is, now)
		waited := now.Sub(began)
		lasts := now.Sub(still.since)
		if waited >= patience && lasts >= patience/2 { // else it has just begun, and others get on
			if held := stuck(fd, is, lasts); held != nil && turn() == is {
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

// The pauses between two tries of one that is not woken: each is twice the last, so that a thousand
// that wait leave the processors to the one that works.
const shortestPause, longestPause = 100 * time.Microsecond, Patience / 2

// standstill is the turn that lasts, and since when. A caller that waits for less than
// stillPatience learns it in several tries.
type standstill struct {
	turn  uint64
	since time.Time
}

func (s *standstill) see(turn uint64, now time.Time) {
	if s.since.IsZero() || s.turn != turn {
		*s = standstill{turn, now}
	}
}

// forget is what a new try begins with, unless the turn it knows is somebody's: that one cannot
// come again.
func (s *standstill) forget() {
	if s.turn&holder == 0 {
		*s = standstill{}
	}
}

// holder is the part of a turn that names the process that has the lock, 0 until it has said so.
const holder = 1<<32 - 1

// begins and ends say whose turn it is.
func (u *undo) begins() { u.turn.Store((u.turn.Load()>>32+1)<<32 | uint64(unix.Getpid())) }
func (u *undo) ends()   { u.turn.Store(u.turn.Load() &^ holder) }

// stuck is the error about a process that has the turn, and has had it for so long, if it will not
// go on. One that has not yet said that it is its turn the kernel knows.
func stuck(fd int, turn uint64, still time.Duration) error {
	pid := int(turn & holder)
	if pid == 0 {
		pid = flockedBy(fd)
	}
	if is := processIsStopped(pid); is || still >= stillPatience {
		return &HeldError{pid, is}
	}
	return nil
}

// flock calls flock(2) past Go's scheduler: with LOCK_NB it does not wait, and a thread that has
// just got the lock must not queue for a processor among those that wait for it.
func flock(fd, how int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_FLOCK, uintptr(fd), uintptr(how), 0); errno != 0 {
		return errno
	}
	return nil
}

// Do runs work with the lock held. What work does through its Tx is done whole or not
// at all, also if the process is killed in the midst of it. All other processes
// wait meanwhile, so work must compute and nothing else. A Tx ends with its Do.
//
// Do returns a HeldError, ErrCrowded, ErrLost or an error of flock(2); work has then not been run,
// or its effect is undone. A Ledger may be used by one goroutine at a time.
func (l *Ledger) Do(now Moment, work func(*Tx)) error {
	return l.locked(&now, work)
}

// locked is Do, or without a moment the same for work that only reads what has nothing to do with
// time.
func (l *Ledger) locked(now *Moment, work func(*Tx)) (err error) {
	if l.lost {
		return ErrLost
	}
	defer l.catchFault(&err, debug.SetPanicOnFault(true))
	crowd := l.CrowdPatience
	if crowd <= 0 {
		crowd = crowdPatience
	}
	if err := lock(l.fd, l.undo.turn.Load, &l.undo.bell, crowd, &l.still); err != nil {
		return err
	}
	defer l.unlock()
	l.undo.begins()
	l.rollback()
	tx := Tx{l: l}
	if now != nil {
		tx.now = l.tick(*now)
		tx.begin()
	}
	work(&tx)
	l.forget()
	l.undo.ends()
	return nil
}

// unlock gives the lock back.
func (l *Ledger) unlock() {
	_ = flock(l.fd, unix.LOCK_UN)
	l.undo.bell.ring()
}

// catchFault turns the SIGBUS of a page that is no longer there into ErrLost. What a work that
// panics has left half done is undone by the next, as after a crash.
func (l *Ledger) catchFault(err *error, old bool) {
	debug.SetPanicOnFault(old)
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
