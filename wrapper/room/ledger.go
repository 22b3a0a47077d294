package room

import (
	"sendwrap/exec"
	"sendwrap/wrapper/ledger"
)

// checkLedger makes the ledger agree with the room. The room's sessions are in the ledger under our
// pid, and count as long as we live: one that we could not end there would count for ever.
func (r *room) checkLedger() {
	l := &r.door.Ledger
	switch {
	case r.unconfigured != nil:
	case l.Outdated():
		r.changeLedger()
	case l.IsOpen() && l.NeedsResync():
		r.resyncLedger()
	}
	r.writeStrikes()
}

// writeStrikes writes the offences that could not be written when they happened.
func (r *room) writeStrikes() {
	for _, s := range r.door.WriteStrikes() {
		r.enforceBlock(s)
	}
}

// adopt looks for MTAs that an earlier room had started when it was killed, before the ledger knew
// about them.
func (r *room) adopt() {
	orphans := r.door.Orphans()
	if len(orphans) == 0 {
		return
	}
	found := exec.Spawned()
	for _, o := range orphans {
		r.door.Adopt(o, found[o.Client])
	}
}

// changeLedger opens the ledger that the configuration names, in place of the present one, and
// counts all sessions there.
func (r *room) changeLedger() {
	r.door.OpenLedger()
	if !r.door.Ledger.IsOpen() {
		return
	}
	r.door.Ledger.FreeExcept(func(ledger.Session) bool { return false }) // of the old ledger
	for c, mta := range r.counted {
		c.transferred = c.session.Recount(mta) && mta != 0
		c.session.Rest()
	}
}

// resyncLedger frees the sessions under our pid that have ended while the ledger was not available.
func (r *room) resyncLedger() {
	mine := map[ledger.Session]bool{}
	for c, mta := range r.counted {
		if mta != 0 && !c.transferred {
			if c.transferred = c.session.TransferTo(mta); !c.transferred {
				return // the loop would have to wait as long for each of the others
			}
		}
		mine[c.session.Token()] = true
	}
	r.door.Ledger.FreeExcept(func(s ledger.Session) bool { return mine[s] })
}

// counted calls yield with each client that the ledger should count, and the pid of its MTA, or 0.
func (r *room) counted(yield func(*client, int) bool) {
	served := map[*client]bool{}
	for pid, c := range r.mtas.running {
		served[c] = true
		if !yield(c, pid) {
			return
		}
	}
	for _, c := range r.clients {
		if c != nil && !served[c] && c.refused == 0 && c.in != &r.searching && !yield(c, 0) {
			return
		}
	}
}
