package ledger

import (
	"errors"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a process waits for the lock before it carries on without the
// ledger. The lock is held for microseconds; whoever holds it longer is stopped, or
// the disk under the file is.
const Patience = 40 * time.Millisecond

// ErrBusy says that the lock was not to be had within [Patience].
var ErrBusy = errors.New("ledger is held by a stopped process")

// ErrLost says that the file was cut off or its disk failed while it was mapped. The
// Ledger is of no use any more; opening it again sets the file aside and makes a new one.
var ErrLost = errors.New("ledger was truncated or its disk failed")

// flock takes the lock of an open file within Patience. flock(2) is the kernel's:
// it is gone the moment its holder is, and no byte in the file can fake it.
func flock(fd int) error {
	const shortest, longest = 20 * time.Microsecond, time.Millisecond
	var started time.Time
	for pause := shortest; ; pause = min(2*pause, longest) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err == unix.EINTR:
			continue
		case err != unix.EWOULDBLOCK:
			return err
		case started.IsZero():
			started = time.Now()
		case time.Since(started) >= Patience:
			return ErrBusy
		}
		ts := unix.NsecToTimespec(int64(pause))
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: only an earlier try
	}
}

// Do runs work with the lock held. What work does through its Tx is done whole or not
// at all, also if the process is killed in the midst of it. All other processes
// wait meanwhile, so work must compute and nothing else. A Tx ends with its Do.
//
// Do returns ErrBusy, ErrLost or an error of flock(2); work has then not been run, or
// its effect is undone. A Ledger may be used by one goroutine at a time.
func (l *Ledger) Do(now Moment, work func(*Tx)) (err error) {
	if l.lost {
		return ErrLost
	}
	if err := flock(l.fd); err != nil {
		return err
	}
	defer func() { _ = unix.Flock(l.fd, unix.LOCK_UN) }()
	defer l.catchFault(&err, debug.SetPanicOnFault(true))
	l.rollback()
	tx := Tx{l: l, now: l.tick(now)}
	tx.begin()
	work(&tx)
	l.undo.used.Store(0)
	return nil
}

// begin is where a kill from now on leads back to.
func (t *Tx) begin() {
	t.l.undo.used.Store(0)
	t.l.save(stateAt, len(bytesOf(t.l.state)))
}

// catchFault turns the SIGBUS of a page that is no longer there into ErrLost.
func (l *Ledger) catchFault(err *error, old bool) {
	debug.SetPanicOnFault(old)
	switch r := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		l.lost = true
		*err = ErrLost
	default:
		l.rollback()
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
		if s.size > undoSize || s.at < stateAt || s.at+s.size > uint64(len(l.mem)) || s.at >= undoAt && s.at < totalsAt {
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

const sizeOfSaved = 16
