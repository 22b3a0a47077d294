package room

import (
	"sendwrap/exec"
	"sendwrap/wrapper/ledger"
)

// tickLedger sees to it that the room and the file agree. All that is in the room stands in the
// ledger under our pid and is believed as long as we live, so that what we could not take back
// would stand there for ever.
func (r *room) tickLedger() {
	l := &r.door.Ledger
	switch {
	case r.unconfigured != nil:
	case l.Outdated():
		r.changeLedger()
	case l.IsOpen() && l.NeedsResync():
		r.settle()
	}
	r.payStrikes()
}

// payStrikes writes down offences that could not be written when they happened.
func (r *room) payStrikes() {
	for _, s := range r.door.Settle() {
		r.began(s)
	}
}

// adopt looks for the MTAs that a room before us had started when it was killed, and could not tell
// the ledger of.
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

// changeLedger opens the ledger that the configuration names, in place of another or none, and
// counts everybody there.
func (r *room) changeLedger() {
	r.door.OpenLedger()
	if !r.door.Ledger.IsOpen() {
		return
	}
	r.door.Ledger.FreeExcept(func(ledger.Session) bool { return false }) // what was carried over from the old one
	for c, mta := range r.counted {
		c.handed = c.session.Recount(mta) && mta != 0
	}
}

// settle frees the sessions under our pid that are no more, after a time in which the ledger could
// not be told.
func (r *room) settle() {
	mine := map[ledger.Session]bool{}
	for c, mta := range r.counted {
		if mta != 0 && !c.handed {
			if c.handed = c.session.Hand(mta); !c.handed {
				return // the others would have to wait as long, and the loop with them
			}
		}
		mine[c.session.Counted()] = true
	}
	r.door.Ledger.FreeExcept(func(s ledger.Session) bool { return mine[s] })
}

// counted calls yield with everybody whom the ledger should count, and the pid of its MTA if that
// runs.
func (r *room) counted(yield func(*client, int) bool) {
	served := map[*client]bool{}
	for pid, c := range r.mtas.running {
		served[c] = true
		if !yield(c, pid) {
			return
		}
	}
	for _, c := range r.clients {
		if c != nil && !served[c] && c.refused == 0 && c.in != &r.seeking && !yield(c, 0) {
			return
		}
	}
}
