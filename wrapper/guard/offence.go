package guard

import (
	"net/netip"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// offence is a bad recipient as it is recorded in the ledger, now or when the ledger is free.
type offence struct {
	client   netip.Addr
	network  netip.Prefix
	config   *config.Config
	facts    decide.Recipients
	ours     wrapper.Own // networks with an address of this machine are not counted or blocked
	counted  bool
	mayDefer bool // what follows may still show good behaviour
}

// record writes a bad recipient into the ledger. Over the limit it begins a block; of a client that
// has shown good behaviour it is a strike, and the second strike is a block.
func (o *offence) record(t *ledger.Tx) (block activeBlock) {
	f := &o.facts
	b, blocked := t.BlockOf(o.client, o.network)
	ignored := blocked && o.config.IgnoresBlock(b.ByHand)
	if !o.counted {
		o.count(t, blocked && !ignored)
	}
	if blocked && !ignored {
		f.Blocked = true
		return activeBlock{network: b.Network, left: b.Left, reason: b.Reason}
	}
	p := wrapper.Penalty(&o.config.Settings)
	wide := f.WideGuesses()
	if ignored || f.Decide() != decide.BadRcpts || !f.Offends() || p.Strikes == 0 || o.ours[0] {
		return block
	}
	f.Known = t.Known(o.network)
	block.network = o.network
	switch {
	case f.IsExcused():
		block = o.strike(t, p)
	case o.mayDefer && !f.NetworkGuesses() && wide < 0:
		return activeBlock{deferred: true}
	default:
		if wide >= 0 {
			block.network = f.Limits.Wide[wide].Network
		}
		block.left = t.Block(block.network, 0, reasonBadRcpts, p)
	}
	block.reason, block.began = reasonBadRcpts, block.left > 0
	return block
}

// count counts a bad recipient in the client's networks: in its own alone if a block holds it
// already, as with strikes.
func (o *offence) count(t *ledger.Tx, blocked bool) {
	f := &o.facts
	o.counted = true
	if per := f.Limits.BadRcptsTotal.Per; per > 0 && !o.ours[0] {
		all := t.BadRcpt(o.network, per)
		f.Total, f.Mailed = all.Bad, all.Good
	}
	for n, total := range f.Limits.WideRcpts {
		if total.N > 0 && !o.ours[1+n] && !blocked {
			f.Wide[n] = t.BadRcpt(f.Limits.Wide[n].Network, total.Per)
		}
	}
}

// strike is what an excused session gets.
func (o *offence) strike(t *ledger.Tx, p ledger.Penalty) (block activeBlock) {
	all := wrapper.Offence{
		Network: o.network, Limits: o.facts.Limits, Own: o.ours,
		Reason: reasonBadRcpts, Weight: 1, Penalty: p, WidePenalty: p,
	}
	all.Penalty.Strikes = min(p.Strikes, maxExcused+1)
	all.Penalty.Within = max(p.Within, o.facts.Limits.BadRcptsTotal.Per)
	struck := all.Strike(t)
	block.network, block.left = struck.Network, struck.Block
	block.strikes, block.ofStrikes = struck.Strikes, struck.Of
	return block
}

// maxExcused is how many sessions with too many bad recipients are excused within the time of
// bad_rcpts_total, or of a strike if that is longer. Good behaviour is worth no more than what an
// attacker learns in that many sessions.
const maxExcused = 1
