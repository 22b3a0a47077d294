package ledger

import (
	"errors"
	"net/netip"
	"strconv"
	"time"
)

// Options say which ledger a [Handle] opens, and what kind of process opens it.
type Options struct {
	Path    string
	Clients int // for how many client records, if the file has to be made

	// Many says that the process has many clients, all of which wait while it waits for the lock.
	// It gives up after 0.1 s, and then does not ask again for a moment: see [Handle.Run].
	Many bool

	// Room is the process in whose name many sessions are counted, or the zero Process. It is
	// registered in the ledger (see [Ledger.RegisterRoom]), and Close frees its sessions.
	Room Process
	// Build is the version of that process, for whoever looks.
	Build string

	// Guard is the process that is registered as a guard (see [Ledger.RegisterGuard]), or zero.
	Guard Process

	// Clock is read in place of the machine's clocks, for sessions of the past; nil = these.
	Clock func() Moment

	// Without is what the process does without a ledger, for the log: it ends the line about an
	// error. With "" the caller logs errors itself.
	Without string

	Warn, Note func(text string) // write a line to the log; nil writes none
}

// Handle is a process's way to the ledger. It opens the file, says when to open it again, logs what
// goes wrong, and does not let clients wait for a ledger that cannot be used.
//
// The embedded Ledger is nil while none is open. Its methods may be called all the same: they
// return [ErrLost] or do nothing. A Handle may be used by one goroutine at a time.
type Handle struct {
	Options
	*Ledger

	failedAt   time.Duration // Moment.Boot of an Open that failed; 0 = the last one did not
	heldAt     time.Duration // Moment.Boot of the last log line about ErrBusy; 0 = there was none
	restUntil  time.Duration // Moment.Boot
	restReason error         // what Run returns until then
	unwritten  bool          // see NeedsResync
	configured time.Time     // see NoteConfigured
	clock      clock
	together   together
}

const (
	manyPatience = 100 * time.Millisecond // for the lock, in a process with many clients
	crowdedRest  = 50 * time.Millisecond  // after ErrCrowded
	heldRest     = time.Second            // after ErrBusy
	retryAfter   = time.Minute            // after an Open that failed
	logHeldEvery = time.Minute
)

// Now reads the clocks as the function [Now] does, mostly without a system call.
func (h *Handle) Now() Moment {
	if h.Clock != nil {
		return h.Clock()
	}
	return h.clock.now()
}

// Open opens the ledger as the function [Open] does, and closes one that is open. It logs what Open
// notes. An error is logged too, unless Options.Without is "".
func (h *Handle) Open() error {
	_ = h.Close()
	l, notes, err := Open(h.Path, h.Clients, LaterBoot())
	for _, note := range notes {
		h.warn(note)
	}
	if err != nil {
		h.failedAt = h.Now().Boot
		h.warnOf(err.Error())
		return err
	}
	h.Ledger, h.failedAt = l, 0
	if h.Many {
		l.CrowdPatience = manyPatience
	}
	if h.Room != (Process{}) {
		l.room = h.Room
		l.populate()
		l.RegisterRoom(h.Room, h.Build)
		l.NoteConfigured(h.Room, h.configured)
	}
	if h.Guard != (Process{}) {
		l.RegisterGuard(h.Guard)
	}
	return nil
}

// NoteConfigured says that the room has read its configuration now, also in ledgers that it opens
// later.
func (h *Handle) NoteConfigured() {
	h.configured = h.Now().Wall
	h.Ledger.NoteConfigured(h.Room, h.configured)
}

// OpenExisting opens the ledger for a process that only reads it. It makes no file, and neither
// replaces nor sets one aside, whatever its size.
//
// The error is [os.ErrNotExist] if there is no file. A damaged file, or one of another version, is
// an error too, and so is everything that Open refuses. Errors are not logged.
func (h *Handle) OpenExisting() (err error) {
	_ = h.Close()
	h.Ledger, err = openExisting(h.Path, LaterBoot())
	return err
}

// OpenFitting is Open where the file is as it has to be. Else it makes and replaces nothing, logs
// nothing, and reports false: the caller leaves all that to a process that calls Open.
func (h *Handle) OpenFitting() (ok bool) {
	_ = h.Close()
	if geo := geometryFor(h.Clients); geo.sane() {
		h.Ledger = openUsual(h.Path, geo, LaterBoot())
	}
	h.failedAt = 0
	return h.IsOpen()
}

// IsOpen says whether there is a ledger to work with.
func (h *Handle) IsOpen() bool { return h.Ledger != nil }

// Outdated says whether it is time to call Open again: because the path names another file now, the
// ledger was lost, or it could not be opened a minute ago. It costs two calls of stat(2).
func (h *Handle) Outdated() bool {
	if h.Ledger == nil {
		return h.failedAt == 0 || h.Now().Boot-h.failedAt >= retryAfter
	}
	return h.Replaced()
}

// Close closes the ledger, if one is open, and frees the room's sessions in it first.
func (h *Handle) Close() (err error) {
	if h.Room != (Process{}) {
		h.FreeExcept(func(Session) bool { return false })
	}
	if h.Ledger != nil {
		err = h.Ledger.Close()
	}
	h.Ledger, h.restUntil, h.restReason, h.unwritten = nil, 0, nil, false
	return err
}

// Run does work at this moment, as [Ledger.Do] does. After an error the work has not been done, and
// the caller may ask again later. The error is [ErrLost] as long as no ledger is open.
//
// Errors are logged, each of them once, or once a minute as long as another process holds the lock.
// [ErrCrowded] is not: it concerns one client, whose own line tells.
//
// A process with many clients rests after [ErrCrowded] and [ErrBusy], for 50 ms and for a second:
// until then Run returns the same error at once. Otherwise each client in turn would wait for the
// lock, and all others with it.
func (h *Handle) Run(work func(*Tx)) error {
	if h.Ledger == nil {
		return ErrLost
	}
	if h.together.started {
		return h.together.run(work)
	}
	now := h.Now()
	if h.rests(now) {
		h.unwritten = true
		return h.restReason
	}
	err := h.Do(now, work)
	if n := h.takeForgotten(); n > 0 {
		h.note("the machine has rebooted: " + strconv.Itoa(n) + " earlier sessions are forgotten")
	}
	if err != nil {
		h.noteError(now, err)
	}
	return err
}

// RunWithin is Run for a client that must not wait for longer than patience while other processes
// get the lock; 0 = as long as any. Its [ErrCrowded] begins no rest.
func (h *Handle) RunWithin(patience time.Duration, work func(*Tx)) error {
	l := h.Ledger
	if l == nil || patience <= 0 {
		return h.Run(work)
	}
	usual, rest := l.CrowdPatience, h.restUntil
	l.CrowdPatience = patience
	err := h.Run(work)
	l.CrowdPatience = usual
	if err == ErrCrowded {
		h.restUntil = rest
	}
	return err
}

// noteError logs an error of Do on work that began at the moment, and begins a rest.
func (h *Handle) noteError(began Moment, err error) {
	held := errors.Is(err, ErrBusy)
	if h.Many {
		h.unwritten = true
		now := h.Now().Boot // later than began by the wait for the lock
		switch {
		case held:
			h.restUntil, h.restReason = now+heldRest, err
		case err == ErrCrowded:
			h.restUntil, h.restReason = now+crowdedRest, err
		}
	}
	switch {
	case err == ErrCrowded:
		return
	case err == ErrLost:
		_ = h.Ledger.Close()
		h.Ledger = nil
	case held:
		if h.heldAt != 0 && began.Boot-h.heldAt < logHeldEvery {
			return
		}
		h.heldAt = began.Boot
	}
	h.warnOf(h.Path + ": " + err.Error())
}

// rests says whether the process must not ask for the lock now.
func (h *Handle) rests(now Moment) bool { return h.restReason != nil && now.Boot < h.restUntil }

// BlocksSince is [Ledger.BlocksSince]. It finds nothing new while no ledger is open, or while the
// process rests.
func (h *Handle) BlocksSince(since uint64) (networks []netip.Prefix, last uint64, all bool) {
	if h.restReason != nil && h.rests(h.Now()) {
		return nil, since, false
	}
	return h.Ledger.BlocksSince(since)
}

// NeedsResync says whether the ledger may count sessions of the room that have ended, because some
// work could not be done. FreeExcept or Open puts that right.
func (h *Handle) NeedsResync() bool { return h.unwritten }

// FreeExcept frees the sessions in the room's name for which keep reports false. It reports whether
// that was done.
func (h *Handle) FreeExcept(keep func(Session) bool) bool {
	if h.Run(func(t *Tx) { t.FreeExcept(h.Room, keep) }) != nil {
		return false
	}
	h.unwritten = false
	return true
}

// warnOf logs an error and what the process does without the ledger.
func (h *Handle) warnOf(text string) {
	if h.Without != "" {
		h.warn(text + "; " + h.Without)
	}
}

func (h *Handle) warn(text string) {
	if h.Warn != nil {
		h.Warn(text)
	}
}

func (h *Handle) note(text string) {
	if h.Note != nil {
		h.Note(text)
	}
}
