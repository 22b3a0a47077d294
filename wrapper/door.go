package wrapper

import (
	"net/netip"

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

	pause ledgerPause // zero in a process that holds one session
}

// NewDoor is the door of a process that holds one session. It has no ledger yet.
func NewDoor(c *config.Config, log maillog.Log) *Door {
	return &Door{Config: c, Log: log, Host: HostName(), Process: ledger.Self()}
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

const withoutLedger = "; carrying on without limits and memory"

// inLedger runs work on the ledger. An error means that it was not done; it is logged,
// and the ledger may be asked again later, unless it is lost.
func (d *Door) inLedger(work func(*ledger.Tx)) error {
	if d.Ledger == nil {
		return ledger.ErrLost
	}
	now := ledger.Now()
	if err := d.pause.over(now); err != nil {
		return err
	}
	err := d.Ledger.Do(now, work)
	if err != nil && d.Process.Shared {
		d.pause.begin(ledger.Now(), err) // not now, which is before the wait for the lock
	}
	switch err {
	case nil, ledger.ErrCrowded: // one is refused for that, and the line says so
		return err
	case ledger.ErrLost:
		_ = d.Ledger.Close() // a room opens it again
		d.Ledger = nil
	}
	d.warn(d.Config.Ledger.Path + ": " + err.Error() + withoutLedger)
	return err
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
func (d *Door) Network(client netip.Addr) netip.Prefix { return d.Config.CountBy.Network(client) }

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
