package enforce

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/wrapper/ledger"
)

const (
	// A session that a room is about to give to an MTA cannot be ended yet, and the room no longer
	// looks at it: so it is looked for again.
	visitAgain = 200 * time.Millisecond
	maxVisits  = 5

	// A process that waits for its client is woken so often: it misses the signal if it is not in
	// poll(2) at that moment. One that has not reacted for five seconds does not wait: it is an
	// older sendwrap, or an MTA of which the ledger does not know, and gets SIGTERM.
	maxWakes = 25
)

// order is a block that is being carried out.
type order struct {
	Block
	begun   time.Time
	due     time.Time // when its sessions end
	deeds   Deeds
	visits  int
	handing bool                           // there is a session on its way from a room to an MTA
	waiting bool                           // there is one that waits, and has been woken
	unseen  error                          // why the sessions could not be looked at
	sent    map[ledger.Process]unix.Signal // what the processes have been sent already
	todo    int                            // what is left to be done of it, in a queue

	latest   Block // of its network, for on_block, and when it began
	latestAt time.Time
	told     bool // on_block has run for that
}

// visit finds, for each order, the sessions of its network that are blocked, and has do done with
// each that is to end.
//
// Whether a client is blocked the ledger says, at this moment: one whose block has been lifted goes
// on.
func (e *Enforcer) visit(l *ledger.Ledger, orders []*order, do func(*order, ledger.LiveSession)) {
	var networks Networks
	for _, o := range orders {
		networks.Add(o.Network)
		o.visits++
		o.handing, o.waiting, o.unseen, o.deeds.Allowed, o.deeds.InRoom = false, false, nil, 0, 0
	}
	var blocked []ledger.LiveSession
	err := l.Do(ledger.Now(), func(t *ledger.Tx) {
		for _, s := range t.SessionsOf(networks.Hold) {
			client := s.Client.Addr()
			if _, runs := t.BlockOf(client, e.Config.Network(client)); runs {
				blocked = append(blocked, s)
			}
		}
	})
	if err != nil {
		for _, o := range orders {
			o.unseen = fmt.Errorf("%s: %w; sessions of %v go on", e.Config.Ledger.Path, err, o.Network)
		}
		return
	}
	for _, s := range blocked {
		for _, o := range orders {
			if o.Network.Contains(s.Client.Addr()) {
				e.meet(o, s, do)
				break
			}
		}
	}
}

// again says whether the order's sessions must be looked at once more.
func (o *order) again() bool {
	return o.waiting || (o.handing || o.unseen != nil) && o.visits < maxVisits
}

// meet has do done with a session of the order's network, unless it is spared.
func (e *Enforcer) meet(o *order, s ledger.LiveSession, do func(*order, ledger.LiveSession)) {
	switch {
	case e.Config.Networks.Match(s.Client.Addr()).Access == allowlist.Allow:
		o.deeds.Allowed++
	case s.Process.Shared: // a process that holds others, too
		o.deeds.InRoom++
		o.handing = o.handing || s.Serving
	case s.Process.PID == os.Getpid():
	default:
		do(o, s)
	}
}

// count is what there would be to do.
func count(o *order, _ ledger.LiveSession) { o.deeds.Ended++ }

// end ends a session. An MTA gets SIGTERM, at which sendmail ends the session at once. A process in
// which the client waits is woken: it finds the block itself, and refuses the client as one that
// comes now. A process that is another by now, with the same pid, is not hit.
func end(o *order, s ledger.LiveSession) {
	sig, before := unix.SIGTERM, o.sent[s.Process]
	if !s.Serving && o.visits <= maxWakes {
		sig = wake
	} else if before == unix.SIGTERM {
		return
	}
	if o.sent == nil {
		o.sent = map[ledger.Process]unix.Signal{}
	}
	o.sent[s.Process] = sig
	err := s.Process.Signal(sig)
	if err == nil && sig == wake {
		wakeThreads(s.Process.PID)
		o.waiting = true
	}
	switch {
	case before != 0: // it has been counted
	case err == nil:
		o.deeds.Ended++
	case errors.Is(err, unix.ESRCH): // it ended between our look and our signal
	default:
		o.deeds.Failed = append(o.deeds.Failed,
			fmt.Errorf("process %d of %v cannot be ended: %w", s.Process.PID, s.Client, err))
	}
}

// wake is what interrupts the poll(2) of a process that waits for its client (wrapper.Wait). It
// must do no harm to an MTA that has taken its place: the default is to ignore it, and so does Go,
// whose runtime sends it to its own threads. SIGTERM would not do: for Go to handle it takes two
// more threads and 60 kB in each process that waits (measured).
const wake = unix.SIGURG

// wakeThreads sends it to each thread, as the kernel chooses one, and it may not be the one that
// waits.
func wakeThreads(pid int) {
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return // it has ended
	}
	for _, thread := range threads {
		if tid, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Tgkill(pid, tid, wake)
		}
	}
}
