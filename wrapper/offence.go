package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// Offence is an offence of a client. It counts in the client's network, and in each wide network
// for which the configuration counts strikes.
type Offence struct {
	Network netip.Prefix // under which the client is counted
	Limits  *decide.Limits
	Own     Own
	Reason  string
	Weight  int
	Penalty ledger.Penalty // of the client's network

	// WidePenalty is that of wide networks, but for their numbers of strikes; with none, they are
	// not blocked.
	WidePenalty ledger.Penalty
}

// Own says which networks of a client hold an address of this machine: its own, then the wide
// ones. Those get no strike.
type Own [1 + ledger.MaxWide]bool

// Struck is what came of an offence.
type Struck struct {
	Network     netip.Prefix // that is blocked, or the client's own
	Strikes, Of int          // of that network, and how many make a block
	Block       time.Duration

	// Would is the widest network that would be blocked now if its line were not observed; zero if
	// none would.
	Would netip.Prefix
}

// OwnOf is Own of a client. The answer may take a moment: do not ask while you hold the ledger's
// lock.
func (d *Door) OwnOf(network netip.Prefix, l *decide.Limits) (own Own) {
	own[0] = d.IsOwn(network)
	for n := range l.Wide {
		wide := l.Wide[n].Network
		own[1+n] = wide.IsValid() && (l.WideStrikes[n] > 0 || l.WideRcpts[n].N > 0) && d.IsOwn(wide)
	}
	return own
}

// OffenceOf is an offence of weight 1 of a client with which no session has to do.
func (d *Door) OffenceOf(client netip.Addr, reason string) Offence {
	var f decide.Facts
	d.rules(&f, client, false)
	network, p := d.Network(client), Penalty(d.Policy.Settings)
	return Offence{
		Network: network, Limits: &f.Limits, Own: d.OwnOf(network, &f.Limits),
		Reason: reason, Weight: 1, Penalty: p, WidePenalty: p,
	}
}

// Strike notes the offence. One offence begins one block at most, that of the widest network: it
// refuses the clients of all others. While a block holds the client its strikes do not count in
// wide networks: else one client could have its neighbours blocked, by many connections that it
// made before. The result is zero if no network gets a strike.
func (o *Offence) Strike(t *ledger.Tx) (s Struck) {
	var would netip.Prefix
	_, blocked := t.BlockOf(o.Network.Addr(), o.Network)
	for n := ledger.MaxWide - 1; n >= 0; n-- {
		if blocked || o.Limits.WideStrikes[n] == 0 || o.Own[1+n] {
			continue
		}
		p, network := o.WidePenalty, o.Limits.Wide[n].Network
		if p.Strikes > 0 {
			p.Strikes = o.Limits.WideStrikes[n]
		}
		most, observed := p.Strikes, o.Limits.Observed.Has(policy.WideLine(n))
		if observed {
			p.Strikes = 0 // they are counted, for check and the log
		}
		in := o.strike(t, network, p, s.Block > 0)
		switch {
		case in.Block > 0:
			s = in
		case observed && most > 0 && in.Strikes >= most && !would.IsValid():
			would = network
		}
	}
	if !o.Own[0] {
		if in := o.strike(t, o.Network, o.Penalty, s.Block > 0); s.Block == 0 {
			s = in
		}
	}
	s.Would = would
	return s
}

// strike notes the offence in one network. If blocked, it is within one whose block has begun.
func (o *Offence) strike(
	t *ledger.Tx, network netip.Prefix, p ledger.Penalty, blocked bool,
) Struck {
	s := Struck{Network: network, Of: p.Strikes}
	if blocked {
		p.Strikes = 0
	}
	s.Strikes, s.Block = t.Strike(network, o.Reason, o.Weight, p)
	return s
}

// forgive takes back the newest strike of a client that has behaved since.
func (s *Session) forgive(t *ledger.Tx) {
	if !t.Forgive(s.network, decide.ReasonPregreet) {
		return
	}
	l := &s.facts().Limits
	for n := range l.WideStrikes {
		if l.WideStrikes[n] > 0 {
			t.Forgive(l.Wide[n].Network, decide.ReasonPregreet)
		}
	}
}
