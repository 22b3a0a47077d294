package enforce

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/ledger"
)

const (
	// A session that a room is about to give to an MTA cannot be ended yet, and the room has
	// already looked at it for the last time. So it is visited again, at most maxVisits times.
	visitAgain = 200 * time.Millisecond
	maxVisits  = 5

	// A process that waits for its client misses the signal unless it is in poll(2) at that moment,
	// so it is woken up to maxWakes times. If it has not reacted within five seconds it does not
	// wait: it is an older sendwrap, or an MTA of which the ledger does not know, and gets SIGTERM.
	maxWakes = 25
)

// visitSessions finds the sessions of these blocks whose clients are blocked, and counts them, or
// ends them if the grace is over.
//
// The ledger says whether a client is blocked at this moment: if its block has been ended, its
// session goes on.
func (e *Enforcer) visitSessions(l *ledger.Ledger, blocks []*pendingBlock) {
	var networks Networks
	for _, p := range blocks {
		networks.Add(p.Network)
		if p.ending {
			p.visits++
		}
	}
	var blocked []ledger.LiveSession
	err := l.Do(ledger.Now(), func(t *ledger.Tx) {
		for _, s := range t.SessionsOf(networks.Hold) {
			client := s.Client.Addr()
			if _, found := t.BlockOf(client, e.Config.Network(client)); found {
				blocked = append(blocked, s)
			}
		}
	})
	if err != nil {
		for _, p := range blocks {
			p.visitErr = fmt.Errorf("%s: %w; sessions of %v go on",
				e.Config.Ledger.Path, err, p.Network)
		}
		return
	}
	for _, s := range blocked {
		for _, p := range blocks {
			if p.Network.Contains(s.Client.Addr()) {
				e.visitSession(p, s)
				break
			}
		}
	}
}

// visitSession counts or ends one session, unless it is to be left alone.
func (e *Enforcer) visitSession(p *pendingBlock, s ledger.LiveSession) {
	switch {
	case e.Config.Networks.Match(s.Client.Addr()).Access == rule.Allow:
		p.outcome.Allowed++
	case s.Process.Shared: // the process has other clients, too
		p.outcome.InRoom++
		p.moving = p.moving || s.Serving
	case s.Process.PID == os.Getpid():
	case p.ending:
		e.endSession(p, s)
	default:
		p.toEnd++
	}
}

// endSession sends an MTA SIGTERM, at which sendmail ends the session at once. It wakes a process
// in which the client waits: that finds the block itself and refuses the client. If the pid belongs
// to another process by now, that gets no signal.
func (e *Enforcer) endSession(p *pendingBlock, s ledger.LiveSession) {
	sig, before := unix.SIGTERM, p.sent[s.Process]
	if !s.Serving && p.visits <= maxWakes {
		sig = wake
	} else if before == unix.SIGTERM {
		return
	}
	if p.sent == nil {
		p.sent = map[ledger.Process]unix.Signal{}
	}
	p.sent[s.Process] = sig
	err := s.Process.Signal(sig)
	if err == nil && sig == wake {
		wakeThreads(s.Process.PID)
		p.waking = true
	}
	switch {
	case before != 0: // it has been counted
	case err == nil:
		p.outcome.Ended++
	case errors.Is(err, unix.ESRCH): // it ended between our look and our signal
	default:
		e.fail(p, fmt.Errorf("process %d of %v cannot be ended: %w",
			s.Process.PID, s.Client, err))
	}
}

// wake interrupts the poll(2) of a process that waits for its client (wrapper.Wait). It must not
// harm an MTA that has taken the process's place: its default is to be ignored, and Go ignores it,
// too, since its runtime sends it to its own threads. SIGTERM would not do: to handle it Go takes
// two more threads and 60 kB in each process that waits (measured).
const wake = unix.SIGURG

// wakeThreads sends the signal to each thread: the kernel would choose one, which may not be the
// one that waits.
func wakeThreads(pid int) {
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return // the process has ended
	}
	for _, thread := range threads {
		if tid, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Tgkill(pid, tid, wake)
		}
	}
}
