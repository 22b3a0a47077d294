package ledger

import (
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a process waits for the lock while nothing moves, before it carries on
// without the ledger. The lock is held for microseconds; whoever holds it longer is
// stopped, or the disk under the file is.
const Patience = 40 * time.Millisecond

// crowdPatience is how long it waits at most while others do get the lock, or wait for no more
// than a processor: of a thousand that come at once each has to be counted, else those
// too many would all get in.
const crowdPatience = time.Second

// ErrBusy says that the lock was not to be had within [Patience], since whoever has it does not
// go on.
var ErrBusy = errors.New("ledger is held by a stopped process")

// ErrCrowded says that others got the lock all the time, but not we.
var ErrCrowded = errors.New("ledger is crowded")

// ErrLost says that the file was cut off or its disk failed while it was mapped. The
// Ledger is of no use any more; opening it again sets the file aside and makes a new one.
var ErrLost = errors.New("ledger was truncated or its disk failed")

// lock takes the lock of an open file within Patience, and within crowd at most. flock(2) is the
// kernel's: it is gone the moment its holder is, and no byte in the file can fake it. turn says
// who has the lock, so that a crowd is told from a stopped process.
func lock(fd int, turn func() uint64, crowd time.Duration, still *standstill) error {
	// Each pause is twice the last: a thousand that wait must leave the processors to the one that works.
	const shortest, longest = 20 * time.Microsecond, Patience / 2
	patience := min(Patience, crowd)
	var began time.Time
	for pause := shortest; ; pause = min(2*pause, longest) {
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
		}
		still.see(is, now)
		waited := now.Sub(began)
		switch {
		case waited >= patience && stuck(fd, is, now.Sub(still.since)) && turn() == is:
			return ErrBusy
		case waited >= crowd:
			return ErrCrowded
		case waited < patience:
			pause = min(pause, patience-waited)
		default:
			pause = min(pause, crowd-waited)
		}
		ts := unix.NsecToTimespec(int64(pause))
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: only an earlier try
	}
}

// standstill is the turn that lasts, and since when. Who waits for less than it takes to tell a
// sleeping holder from a crowd learns it in more than one try.
type standstill struct {
	turn  uint64
	since time.Time
}

func (s *standstill) see(turn uint64, now time.Time) {
	if s.since.IsZero() || s.turn != turn {
		*s = standstill{turn, now}
	}
}

// forget is what a new try begins with, unless the turn it knows is somebody's: that one cannot come again.
func (s *standstill) forget() {
	if s.turn&holder == 0 {
		*s = standstill{}
	}
}

// holder is the part of a turn that names the thread that has the lock, 0 until it has said so.
const holder = 1<<32 - 1

// begins and ends say whose turn it is.
func (u *undo) begins() { u.turn.Store((u.turn.Load()>>32+1)<<32 | uint64(unix.Gettid())) }
func (u *undo) ends()   { u.turn.Store(u.turn.Load() &^ holder) }

// stuck says whether whoever has the turn, and has had it for so long, will not go on: it is
// stopped, or it sleeps where it should work. One that has not yet said who it is
// the kernel knows.
func stuck(fd int, turn uint64, still time.Duration) bool {
	var is byte
	if tid := int(turn & holder); tid != 0 {
		is = threadState(tid)
	} else {
		is = processState(flockedBy(fd))
	}
	return is == stopped || is == asleep && still >= 2*Patience
}

// flock calls flock(2) without a word to Go's scheduler: with LOCK_NB it does not wait, and one that
// has just got the lock must not queue for a processor among those who wait for it.
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
// Do returns ErrBusy, ErrCrowded, ErrLost or an error of flock(2); work has then not been run,
// or its effect is undone. A Ledger may be used by one goroutine at a time.
func (l *Ledger) Do(now Moment, work func(*Tx)) error {
	return l.locked(&now, work)
}

// locked is Do, or without a moment the same for work that only reads what has nothing to do with time.
func (l *Ledger) locked(now *Moment, work func(*Tx)) (err error) {
	if l.lost {
		return ErrLost
	}
	// The thread that has the lock is the one that others see go on, or stopped.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.catchFault(&err, debug.SetPanicOnFault(true))
	crowd := l.CrowdPatience
	if crowd <= 0 {
		crowd = crowdPatience
	}
	if err := lock(l.fd, l.undo.turn.Load, crowd, &l.still); err != nil {
		return err
	}
	defer func() { _ = flock(l.fd, unix.LOCK_UN) }()
	l.undo.begins()
	l.rollback()
	tx := Tx{l: l}
	if now != nil {
		tx.now = l.tick(*now)
		tx.begin()
	}
	work(&tx)
	l.undo.used.Store(0)
	l.undo.ends()
	return nil
}

// begin is where a kill from now on leads back to.
func (t *Tx) begin() {
	t.l.undo.used.Store(0)
	t.l.save(stateAt, len(bytesOf(t.l.state)))
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
		panic(r)
	}
}

// save puts what stands at the given place into the undo log. It must be called before
// the first change there. Entries count from the moment that used says so.
func (l *Ledger) save(at, size int) {
	used := int(l.undo.used.Load())
	entry := undoAt + undoHead + used
	next := used + sizeOfSaved + (size+7)/8*8
	if next > undoSize-undoHead {
		// Each kind of work saves a few records; only a mistake in this package gets here.
		panic("ledger: undo log is full")
	}
	s := view[saved](l.mem, entry)
	s.at, s.size = uint64(at), uint64(size)
	copy(l.mem[entry+sizeOfSaved:], l.mem[at:at+size])
	l.undo.used.Store(uint64(next))
}

// rollback puts back, newest first, what a killed process had overwritten, so that
// the oldest bytes of a place that was saved twice win. It may itself be killed and
// repeated. An entry that makes no sense ends it: the log was never written by us.
func (l *Ledger) rollback() {
	used := int(min(l.undo.used.Load(), undoSize-undoHead))
	if used == 0 {
		return
	}
	var entries [undoSize / sizeOfSaved]uint16
	n := 0
	for at := 0; at+sizeOfSaved <= used; n++ {
		s := view[saved](l.mem, undoAt+undoHead+at)
		if !l.saves(s.at, s.size) {
			break
		}
		entries[n] = uint16(at)
		at += sizeOfSaved + (int(s.size)+7)/8*8
	}
	for n--; n >= 0; n-- {
		at := undoAt + undoHead + int(entries[n])
		s := view[saved](l.mem, at)
		copy(l.mem[s.at:s.at+s.size], l.mem[at+sizeOfSaved:])
	}
	l.undo.used.Store(0)
}

// saves says whether save is ever called with such numbers: never for the fixed part of
// the header, nor for the log itself.
func (l *Ledger) saves(at, size uint64) bool {
	end := at + size
	return size <= undoSize && at <= end &&
		(at >= stateAt && end <= undoAt || at >= totalsAt && end <= uint64(len(l.mem)))
}

const sizeOfSaved = 16
