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
	ours     bool // the network holds an address of this machine: it is not counted or blocked
	counted  bool
	mayDefer bool // what follows may still show good behaviour
}

// record writes a bad recipient into the ledger. Over the limit it begins a block; of a client that
// has shown good behaviour it is a strike, and the second strike is a block.
func (o *offence) record(t *ledger.Tx) (block activeBlock) {
	f := &o.facts
	if per := f.Limits.BadRcptsTotal.Per; per > 0 && !o.counted && !o.ours {
		all := t.BadRcpt(o.network, per)
		f.Total, f.Mailed = all.Bad, all.Good
	}
	o.counted = true
	if b, blocked := t.BlockOf(o.client, o.network); blocked {
		f.Blocked = true
		return activeBlock{left: b.Left, reason: b.Reason}
	}
	p := wrapper.Penalty(&o.config.Settings)
	if f.Decide() != decide.BadRcpts || !f.Offends() || p.Strikes == 0 || o.ours {
		return block
	}
	f.Known = t.Known(o.network)
	switch {
	case f.IsExcused():
		p.Strikes = min(p.Strikes, maxExcused+1)
		p.Within = max(p.Within, f.Limits.BadRcptsTotal.Per)
		block.strikes, block.left = t.Strike(o.network, reasonBadRcpts, 1, p)
		block.ofStrikes = p.Strikes
	case o.mayDefer && !f.NetworkGuesses():
		return activeBlock{deferred: true}
	default:
		block.left = t.Block(o.network, 0, reasonBadRcpts, p)
	}
	block.reason, block.began = reasonBadRcpts, block.left > 0
	return block
}

// maxExcused is how many sessions with too many bad recipients are excused within the time of
// bad_rcpts_total, or of a strike if that is longer. Good behaviour is worth no more than what an
// attacker learns in that many sessions.
const maxExcused = 1
