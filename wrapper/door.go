package wrapper

import (
	"net/netip"
	"strings"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/machine"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// Version is this version of sendwrap, as CHANGELOG.md has it.
const Version = "0.9.0"

// Door is what all decisions of a process have in common: the policy that holds, the ledger and the
// log. It lives as long as the process, and may be used by one goroutine at a time. A room
// or a guard that has read another configuration sets Policy and Log between two calls.
type Door struct {
	Policy  *policy.Policy
	Ledger  ledger.Handle  // while none is open no client is known, counted or blocked
	Process ledger.Process // under which sessions are counted; see identify
	Log     maillog.Log

	// Others reads the rules for other clients than that of a process with one, and returns nil if
	// it cannot. It is nil if the policy has the rules for all clients.
	Others func(clients []netip.Addr) policy.Rules

	// Unread is why something could not be read that a rule says of a name, or of clients without
	// one. Such a rule did not hold. It is nil as long as all could be read.
	Unread error

	room      bool // its clients wait beside each other, and the limits of a room hold
	addresses machine.Addresses
	reserve   []*decide.Facts // for the next sessions of a room

	asker asker

	unwritten       []*Session    // whose strikes could not be written yet
	unwrittenLogged time.Duration // Moment.Boot of the last log line about these
}

// NewDoor is the door of a process that holds one session. It has no ledger yet.
func NewDoor(p *policy.Policy, log maillog.Log) *Door {
	return &Door{Policy: p, Log: log}
}

// identify sets Process, by four system calls: not for a client that is refused before it is
// counted. Call it before the ledger is locked.
func (d *Door) identify() {
	if d.Process.PID == 0 {
		d.Process = ledger.Self()
	}
}

// OpenLedger opens the ledger that the policy names, in place of one that is open. Without a ledger
// the greet delay still works: mail is worth more than a limit.
func (d *Door) OpenLedger() {
	d.setLedger()
	_ = d.Ledger.Open() // it has logged an error
}

// OpenFittingLedger is OpenLedger for a process that neither makes a ledger nor replaces one. On
// false it has done nothing.
func (d *Door) OpenFittingLedger() (ok bool) {
	d.setLedger()
	return d.Ledger.OpenFitting()
}

func (d *Door) setLedger() {
	l := &d.Ledger
	l.Path, l.Clients = d.Policy.Ledger.Path, d.Policy.Ledger.Clients
	l.Without, l.Warn, l.Note = withoutLedger, d.warn, d.note
}

const withoutLedger = "carrying on without limits and memory"

// heldEvery is how often the log says that strikes are not written yet.
const heldEvery = time.Minute

// CountGone counts a client that had left before we started, and whose address the kernel has
// forgotten.
func (d *Door) CountGone() { d.count(decide.Hangup) }

// count counts the verdict about a client without a session.
func (d *Door) count(v decide.Verdict) {
	if d.Ledger.Run(func(t *ledger.Tx) { t.Count(int(v)) }) != nil {
		d.Ledger.CountUnlocked(int(v))
	}
}

// facts sets the facts that do not come from the ledger. It does so in place: copies on the stack
// would make it grow, by pages that a process keeps while it waits.
func (d *Door) facts(f *decide.Facts, client netip.Addr, inRoom bool) {
	d.rules(f, client, inRoom)
	if f.Limits.RefuseLoad > 0 {
		f.Load = loadAverage()
	}
}

// rules sets those that the configuration says.
func (d *Door) rules(f *decide.Facts, client netip.Addr, inRoom bool) {
	f.Rule = d.Policy.Match(client)
	if d.Policy.Map != nil {
		f.Map = d.Policy.Map.Match(client)
	}
	f.Naming = d.Policy.HasNames()
	d.limits(f, client, inRoom)
}

// limits sets those that follow from the rules.
func (d *Door) limits(f *decide.Facts, client netip.Addr, inRoom bool) {
	f.SetLimits(d.Policy.Settings, inRoom)
	f.Limits.SetWide(d.Policy.Settings, client, &f.Rule.Limits)
}

// Network is the network under which a client is counted that arrives now.
func (d *Door) Network(client netip.Addr) netip.Prefix { return d.Policy.Network(client) }

// countsWide says whether a client that arrives now is also counted under its /48, for when places
// are scarce. It is not if clients are counted that wide anyway, or under the IPv4 address that a
// translator has written into this one.
func (d *Door) countsWide(client netip.Addr) bool {
	return !client.Is4() && d.Policy.CountBy.V6 > ledger.WideBits && !d.Policy.Translated(client)
}

// IsOwn says whether the network holds an address of this machine. Such a network gets no strike,
// and no block but by hand. The answer may take a moment: do not ask while you hold the ledger's
// lock.
func (d *Door) IsOwn(network netip.Prefix) bool {
	_, found := d.addresses.In(network)
	return found
}

// arrival is a client as the ledger sees it, counted under this network.
func arrival(
	client netip.AddrPort, network netip.Prefix, wide bool, l *decide.Limits,
) ledger.Arrival {
	a := ledger.Arrival{
		Client: client, Network: network, Wide: wide, Limits: ledgerLimits(l),
	}
	if l.IsWide() {
		a.WideLimits = &l.Wide
	}
	return a
}

func ledgerLimits(l *decide.Limits) ledger.Limits {
	return ledger.Limits{
		Serving: l.MaxSessions, Waiting: l.MaxWaiting, Scarce: l.Scarce(),
		Conns: l.ClientConns, Rate: l.ClientRate.N, Per: l.ClientRate.Per,
		HangupsPer: l.Hangups.Per,
	}
}

// Penalty is the block directive in the ledger's terms.
func Penalty(s *policy.Settings) ledger.Penalty {
	b := &s.Block
	return ledger.Penalty{Strikes: b.Strikes, Within: b.Within, For: b.For, Max: b.Max}
}

func (d *Door) warn(text string) {
	// A log that fails is nothing to fail for.
	_ = d.Log.Write(maillog.Warning, text)
}

func (d *Door) note(text string) { _ = d.Log.Write(maillog.Info, text) }

// WarnAgain logs what is wrong until an administrator corrects it: once a minute, however many
// processes find it, or each time if no ledger is open.
func (d *Door) WarnAgain(texts []string) {
	if len(texts) == 0 || !d.Ledger.ClaimLog(d.Ledger.Now(), strings.Join(texts, "\n")) {
		return
	}
	for _, text := range texts {
		d.warn(text)
	}
}

// RefuseUnconfigured refuses a client when there is no configuration to decide by, and logs why.
// The client comes back later, and no mail is lost.
func RefuseUnconfigured(c Connection, why error, log maillog.Log) error {
	settings := policy.Default()
	reply := Reply(decide.Failed, c.Client.Addr(), &settings)
	sayLast(c.FD, reply)
	l := line(decide.Failed, c).Str("reply", replyCode(reply)).Quote("error", why.Error())
	err := log.Write(maillog.Err, l.String())
	if endOurs(c.FD) {
		linger(c.FD)
	}
	return err
}
