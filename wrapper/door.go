package wrapper

import (
	"net/netip"
	"strings"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/machine"
	"sendwrap/wrapper/maillog"
)

// Door is what decides about clients.
type Door struct {
	Config  *config.Config
	Ledger  ledger.Handle  // while none is open no client is known, counted or blocked
	Process ledger.Process // in whose name sessions are counted
	Log     maillog.Log
	File    string // the configuration's name, in a process that holds one session

	own      machine.Addresses
	owed     []*Session    // of which a strike could not be written yet
	owedTold time.Duration // Moment.Boot when the log was last told of these
}

// NewDoor is the door of a process that holds one session. It has no ledger yet.
func NewDoor(c *config.Config, log maillog.Log) *Door {
	return &Door{Config: c, Log: log, Process: ledger.Self()}
}

// OpenLedger opens the ledger that the configuration names, in place of one that is open. Without a
// ledger the greet delay still works: mail is worth more than a limit.
func (d *Door) OpenLedger() {
	l := &d.Ledger
	l.Path, l.Clients = d.Config.Ledger.Path, d.Config.Ledger.Clients
	l.Without, l.Warn, l.Note = withoutLedger, d.warn, d.note
	_ = l.Open() // it has logged an error
}

const withoutLedger = "carrying on without limits and memory"

// inLedger is [ledger.Handle.Run].
func (d *Door) inLedger(work func(*ledger.Tx)) error { return d.Ledger.Run(work) }

// heldEvery is how often the log says that strikes are not written yet.
const heldEvery = time.Minute

// CountGone counts a client that had left before we started, and of which the kernel does not know
// any more which it was.
func (d *Door) CountGone() {
	if d.inLedger(func(t *ledger.Tx) { t.Count(int(decide.Hangup)) }) != nil {
		d.countApart(decide.Hangup)
	}
}

// facts are those that do not come from the ledger. They are filled in place: copies of them on the
// stack would make it grow, by pages that a process keeps while it waits.
func (d *Door) facts(f *decide.Facts, client netip.Addr) {
	f.Rule = d.Config.Networks.Match(client)
	f.Limits.Set(d.Config, d.Process.Shared, f.Rule.Limits)
	if f.Limits.RefuseLoad > 0 {
		f.Load = loadAverage()
	}
}

// Network is the one under which the client is counted.
func (d *Door) Network(client netip.Addr) netip.Prefix { return d.Config.Network(client) }

// Wider is that network together with its neighbours: see [config.Config.Wider].
func (d *Door) Wider(client netip.Addr) netip.Prefix { return d.Config.Wider(client) }

// Ours says whether the network holds an address of this machine. Such a network gets no strike and
// no block but by hand. It may take a moment, so ask before the ledger's lock is taken.
func (d *Door) Ours(network netip.Prefix) bool {
	_, ours := d.own.In(network)
	return ours
}

// wide is the wider network by which the client's sessions are counted as well while places are
// scarce, the /48 of an IPv6 address. The zero Prefix is none: clients are counted as wide already,
// or by the IPv4 address that a translator has written into this one.
func (d *Door) wide(client netip.Addr) netip.Prefix {
	if client.Is4() || d.Config.CountBy.V6 <= ledger.WideBits || d.Config.Translated(client) {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(client, ledger.WideBits).Masked()
}

// arrival is the client as the ledger is asked about it.
func (d *Door) arrival(client netip.AddrPort, l *decide.Limits) ledger.Arrival {
	addr := client.Addr()
	return ledger.Arrival{
		Client: client, Network: d.Network(addr), Wide: d.wide(addr).IsValid(),
		Limits: ledger.Limits{
			Serving: l.MaxSessions, Waiting: l.MaxWaiting, Scarce: l.Scarce(),
			Conns: l.ClientConns, Rate: l.ClientRate.N, Per: l.ClientRate.Per,
			HangupsPer: l.Hangups.Per,
		},
	}
}

// Penalty is what the configuration says of strikes and blocks.
func Penalty(c *config.Config) ledger.Penalty {
	return ledger.Penalty{Strikes: c.Block.Strikes, Within: c.Block.Within, For: c.Block.For, Max: c.Block.Max}
}

func (d *Door) warn(text string) {
	// A log that fails is nothing to fail for.
	_ = d.Log.Write(maillog.Warning, text)
}

func (d *Door) note(text string) { _ = d.Log.Write(maillog.Info, text) }

// WarnAgain logs what is wrong until somebody mends it: once a minute, however many processes find
// it, or each time where there is no ledger to tell.
func (d *Door) WarnAgain(texts []string) {
	if len(texts) == 0 || !d.Ledger.ClaimLog(ledger.Now(), strings.Join(texts, "\n")) {
		return
	}
	for _, text := range texts {
		d.warn(text)
	}
}

// TurnAway refuses a client before there is a configuration to decide by, and logs why: it
// comes back later, and no mail is lost.
func TurnAway(c Connection, why error, log maillog.Log) error {
	reply := reply(decide.Failed, config.Reject, c.Client.Addr(), config.Default())
	sayLast(c.FD, reply)
	err := log.Write(maillog.Err, line(decide.Failed, c).Str("reply", replyCode(reply)).Quote("error", why.Error()).String())
	if endOurs(c.FD) {
		linger(c.FD)
	}
	return err
}
