package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// Door is what decides about clients.
type Door struct {
	Config  *config.Config
	Ledger  *ledger.Ledger // nil: carry on without; nobody is known, counted or blocked
	Process ledger.Process // in whose name sessions are counted
	Log     maillog.Log
	Host    string // our name in replies

	rests time.Duration // until then (Moment.Boot) the ledger is left alone
}

// NewDoor is the door of a process that holds one session. It has no ledger yet.
func NewDoor(c *config.Config, log maillog.Log) *Door {
	return &Door{Config: c, Log: log, Host: HostName(), Process: ledger.Self()}
}

// NewRoomDoor is the door of a process that holds many sessions. It has no ledger yet.
func NewRoomDoor(c *config.Config, log maillog.Log) *Door {
	d := NewDoor(c, log)
	d.Process.Shared = true
	return d
}

// OpenLedger opens the ledger that the configuration names. Without one the door still
// stands, and the greet delay works: mail is worth more than a limit.
func (d *Door) OpenLedger() {
	l, notes, err := ledger.Open(d.Config.Ledger.Path, d.Config.Ledger.Clients, ledger.ThisBoot())
	for _, n := range notes {
		d.warn(n)
	}
	if err != nil {
		d.warn(err.Error() + withoutLedger)
		return
	}
	if d.Process.Shared {
		l.CrowdPatience = roomPatience
	}
	d.Ledger = l
}

// What a room can spare for the ledger: in the time for which it waits none of its clients gets on. While the lock is
// held by a stopped process it tries again once in a while.
const (
	roomPatience = 100 * time.Millisecond
	ledgerRest   = time.Second
)

const withoutLedger = "; carrying on without limits and memory"

// inLedger runs work on the ledger. An error means that it was not done; it is logged,
// and the ledger may be asked again later, unless it is lost.
func (d *Door) inLedger(work func(*ledger.Tx)) error {
	if d.Ledger == nil {
		return ledger.ErrLost
	}
	now := ledger.Now()
	if now.Boot < d.rests {
		return ledger.ErrBusy
	}
	err := d.Ledger.Do(now, work)
	switch err {
	case nil, ledger.ErrCrowded: // one is refused for that, and the line says so
		return err
	case ledger.ErrLost:
		_ = d.Ledger.Close() // a room opens it again
		d.Ledger = nil
	case ledger.ErrBusy:
		if d.Process.Shared {
			d.rests = now.Boot + ledgerRest
		}
	}
	d.warn(d.Config.Ledger.Path + ": " + err.Error() + withoutLedger)
	return err
}

// CloseLedger leaves the ledger, and takes back what stands there in our name.
func (d *Door) CloseLedger() {
	if d.Ledger == nil {
		return
	}
	d.Keep(nobody)
	if d.Ledger != nil {
		_ = d.Ledger.Close()
	}
	d.Ledger, d.rests = nil, 0
}

// Keep frees the sessions in our name that mine does not claim. It reports whether that could be done.
func (d *Door) Keep(mine func(ledger.Session) bool) bool {
	return d.inLedger(func(t *ledger.Tx) { t.Keep(d.Process, mine) }) == nil
}

// Tidy frees the sessions whose processes have died, so that the first clients are counted rightly. Those that a room
// before us was about to hand to an MTA are returned: somebody must look for it, and call Adopt.
func (d *Door) Tidy() (orphans []ledger.Orphan) {
	_ = d.inLedger(func(t *ledger.Tx) {
		orphans = t.Orphans()
		t.Totals()
	})
	return orphans
}

// Adopt hands an orphan to its MTA, or ends it if that is 0.
func (d *Door) Adopt(o ledger.Orphan, mta int) {
	p, err := ledger.Identify(mta)
	_ = d.inLedger(func(t *ledger.Tx) {
		if err != nil {
			t.Leave(o.Session)
			return
		}
		t.Hand(o.Session, p)
	})
}

// TurnOff refuses a client whom we cannot even hold while we decide.
func (d *Door) TurnOff(fd int) {
	sayLast(fd, reply(Busy, d.Config.OnPregreet, d.Host))
	_ = d.inLedger(func(t *ledger.Tx) { t.Count(int(Busy)) })
	if endOurs(fd) {
		Drain(fd)
	}
}

// CountGone counts a client that had left before we started: a HANGUP of nobody.
func (d *Door) CountGone() {
	_ = d.inLedger(func(t *ledger.Tx) { t.Count(int(Hangup)) })
}

// facts are those that do not come from the ledger. They are filled in place: copies of them on the
// stack would make it grow, by pages that a process keeps while it waits.
func (d *Door) facts(f *Facts, client netip.Addr) {
	f.Rule = d.Config.Networks.Match(client)
	f.Limits = limitsFor(d.Config, d.Process.Shared, f.Rule.Limits)
	if f.Limits.RefuseLoad > 0 {
		f.Load = loadAverage()
	}
}

// Network is the one under which the client is counted.
func (d *Door) Network(client netip.Addr) netip.Prefix {
	bits := d.Config.CountBy.V6
	if client.Is4() {
		bits = d.Config.CountBy.V4
	}
	return netip.PrefixFrom(client, bits).Masked()
}

// arrival is the client as the ledger is asked about it.
func (d *Door) arrival(client netip.AddrPort, l Limits) ledger.Arrival {
	return ledger.Arrival{Client: client, Network: d.Network(client.Addr()), Limits: ledger.Limits{
		Serving: l.MaxSessions, Waiting: l.MaxWaiting,
		Conns: l.ClientConns, Rate: l.ClientRate.N, Per: l.ClientRate.Per,
	}}
}

// Penalty is what the configuration says of strikes and blocks.
func Penalty(c *config.Config) ledger.Penalty {
	return ledger.Penalty{Strikes: c.Block.Strikes, Within: c.Block.Within, For: c.Block.For, Max: c.Block.Max}
}

func (d *Door) warn(text string) {
	// A log that fails is nothing to fail for.
	_ = d.Log.Write(maillog.Warning, text)
}

// TurnAway refuses a client before there is a configuration to decide by, and logs why: it
// comes back later, and no mail is lost.
func TurnAway(c Connection, why error, log maillog.Log) error {
	reply := reply(Failed, config.Reject, HostName())
	sayLast(c.FD, reply)
	err := log.Write(maillog.Err, line(Failed, c).Str("reply", replyCode(reply)).Quote("error", why.Error()).String())
	if endOurs(c.FD) {
		linger(c.FD)
	}
	return err
}
