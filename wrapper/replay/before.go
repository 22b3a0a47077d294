package replay

import (
	"net/netip"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/loglines"
	"sendwrap/wrapper/policy"
)

// What was before the log, and beside it
//
// The ledger is empty when the log begins. A client that was known or blocked then, though nothing
// in the log has made it so, was it before. So it is known or blocked now.

// memory is what the log says of networks.
type memory struct {
	hasPassed map[netip.Prefix]bool // since the log began
	blocks    map[netip.Prefix]bool // blocks of these have started since
}

// maxMemory bounds each of these. A network that does not fit is taken for one that the log does
// not explain.
const maxMemory = 1 << 17

func newMemory() memory { return memory{map[netip.Prefix]bool{}, map[netip.Prefix]bool{}} }

func (m *memory) passed(n netip.Prefix)  { put(m.hasPassed, n) }
func (m *memory) blocked(n netip.Prefix) { put(m.blocks, n) }

func put(set map[netip.Prefix]bool, n netip.Prefix) {
	if len(set) < maxMemory {
		set[n] = true
	}
}

// recallBefore has a client be known or blocked that was, by what was before the log.
func (r *replay) recallBefore(v *visit) {
	n := r.network(v)
	switch v.then {
	case decide.Known:
		if !r.byMail() && (r.hasPassed[n] || r.sinceStart() >= r.Config.Remember) {
			return
		}
		r.run(func(t *ledger.Tx) {
			if !t.Known(n) {
				r.result.Untold.Before++
				t.Remember(n, min(r.Config.Remember, time.Second))
			}
		})
	case decide.Blocked:
		if !v.blocked.IsValid() || r.blocks[v.blocked] {
			return
		}
		r.run(func(t *ledger.Tx) {
			if _, blocked := t.BlockOf(v.client.Addr(), n); !blocked && v.left > 0 {
				r.result.Untold.Before++
				t.Block(v.blocked, v.left, v.reason, wrapper.Penalty(r.door.Policy.Settings))
			}
		})
	}
}

// recallPatience is recallBefore for a client that got no strike for speaking early, since it had
// waited once before.
func (r *replay) recallPatience(v *visit) {
	n := r.network(v)
	if v.then == decide.Pregreet && !v.struck && !r.hasPassed[n] && !v.session.HasTried() &&
		r.door.Policy.KindStrikes[v.past.Kind] > 0 && r.sinceStart() < ledger.PatienceMemory {
		r.result.Untold.Before++
		r.run(func(t *ledger.Tx) { t.Remember(n, time.Millisecond) })
	}
	if v.then == decide.Pregreet && v.left > 0 {
		if v.blocked.IsValid() {
			n = v.blocked
		}
		r.blocked(n)
	}
}

// byMail says whether clients are known for their messages, which are not in the log.
func (r *replay) byMail() bool { return r.door.Policy.RememberAfter == policy.AfterMail }

func (r *replay) sinceStart() time.Duration {
	return time.Duration(r.clock-r.started) - maxWait
}

// run works on the ledger.
func (r *replay) run(work func(t *ledger.Tx)) { _ = r.door.Ledger.Run(work) }

// guardLine takes a verdict of the guard: the block that it began.
func (r *replay) guardLine(l *loglines.Line, at moment) {
	r.result.Untold.Guard++
	n, ok := l.Network()
	left, blocks := l.Duration("left")
	if ok && blocks {
		r.block(at, n, left, l.Get("reason"), false)
	}
}

// otherLine takes a line of a command, or about the end of a session.
func (r *replay) otherLine(l *loglines.Line, at moment) {
	n, _ := l.Network()
	switch l.Word {
	case "BLOCK":
		if d, ok := l.Duration("for"); ok && n.IsValid() {
			r.block(at, n, d, l.Get("reason"), true)
		}
	case "UNBLOCK":
		if n.IsValid() {
			r.later(at, r.lines, func() { r.unblock(n) })
		}
	case "STRIKE":
		if client, ok := l.Client(); ok {
			reason, left := l.Get("reason"), l.Has("left")
			r.later(at, r.lines, func() { r.strike(client, n, reason, left) })
		}
	case "ENDED", "IDLE":
		if client, ok := l.ClientPort(); ok {
			r.later(at, r.lines, func() {
				if v := r.by[client]; v != nil {
					r.end(v)
					r.remove(v)
				}
			})
		}
	}
}

// block begins a block that no client of the log caused.
func (r *replay) block(at moment, n netip.Prefix, d time.Duration, reason string, byHand bool) {
	r.later(at, r.lines, func() {
		r.blocked(n)
		p := wrapper.Penalty(r.door.Policy.Settings)
		r.run(func(t *ledger.Tx) {
			if byHand {
				t.BlockByHand(n, d, reason, p)
			} else {
				t.Block(n, d, reason, p)
			}
		})
	})
}

// unblock ends a block by hand. To end one takes a look at the whole ledger, so first a short one
// says whether there is one.
func (r *replay) unblock(n netip.Prefix) {
	found := false
	r.run(func(t *ledger.Tx) { _, found = t.BlockOf(n.Addr(), n) })
	if found {
		_, _ = r.door.Ledger.Unblock(r.moment(), n)
	}
}

// strike counts an offence that a program has reported.
func (r *replay) strike(client netip.Addr, n netip.Prefix, reason string, left bool) {
	if left {
		r.blocked(n)
	}
	o := r.door.OffenceOf(client, reason)
	r.run(func(t *ledger.Tx) { o.Strike(t) })
}
