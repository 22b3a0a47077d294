package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
)

// offence is a bad recipient, as the ledger is to hear of it: at once, or when it can be had.
type offence struct {
	client  netip.Addr
	network netip.Prefix
	config  *config.Config
	facts   decide.Recipients
	ours    bool // the network holds an address of this machine: none is counted, and it is never blocked
	counted bool
	patient bool // what follows may show good behaviour yet
}

// enter writes a bad recipient into the ledger. One that is too many begins a block, or is a strike
// if the client has shown good behaviour, of which the second is a block.
func (o *offence) enter(t *ledger.Tx) (block sentence) {
	f := &o.facts
	if per := f.Limits.BadRcptsTotal.Per; per > 0 && !o.counted && !o.ours {
		all := t.BadRcpt(o.network, per)
		f.Total, f.Mailed = all.Bad, all.Good
	}
	o.counted = true
	if b, runs := t.BlockOf(o.client, o.network); runs {
		f.Blocked = true
		return sentence{left: b.Left, reason: b.Reason}
	}
	p := wrapper.Penalty(o.config)
	if f.Decide() != decide.BadRcpts || !f.Offends() || p.Strikes == 0 || o.ours {
		return block
	}
	f.Known = t.Known(o.network)
	switch {
	case f.IsExcused():
		p.Strikes, p.Within = min(p.Strikes, maxExcused+1), max(p.Within, f.Limits.BadRcptsTotal.Per)
		block.strikes, block.left = t.Strike(o.network, reasonBadRcpts, 1, p)
		block.most = p.Strikes
	case o.patient && !f.NetworkGuesses():
		return sentence{open: true}
	default:
		block.left = t.Block(o.network, 0, reasonBadRcpts, p)
	}
	block.reason, block.began = reasonBadRcpts, block.left > 0
	return block
}

// maxExcused is how many sessions with too many bad recipients are excused in the time of
// bad_rcpts_total, or of a strike if that is longer: what they learn is all that good behaviour is
// worth.
const maxExcused = 1

const (
	// maxDebts is how many offences wait for the ledger at most: those of a minute of an attack.
	maxDebts = 10_000

	// slowDebt is how long one may wait before the log says so.
	slowDebt = 5 * time.Second
)

// debts are what the ledger has not been told yet, because it could not be had: the oldest first.
type debts struct {
	mu   sync.Mutex
	list []debt
	lost int  // that found no place
	told bool // the log has been, that it takes long
}

// debt is a thing of which the ledger is to hear.
type debt struct {
	since time.Time
	enter func(*ledger.Tx)
	then  func() // once it is written; nil for nothing
}

// held says whether the ledger may be had again soon. One that is lost, or that there is none, has
// lost its counts as well.
func held(err error) bool {
	return errors.Is(err, ledger.ErrBusy) || errors.Is(err, ledger.ErrCrowded)
}

// owe has an offence written as soon as the ledger can be had again. What follows from a block
// follows then, and the transcript waits for it.
func (g *guard) owe(err error, o offence, t *transcript) {
	if !held(err) {
		return
	}
	o.patient = false
	var block sentence
	g.later(debt{
		enter: func(tx *ledger.Tx) { block = o.enter(tx) },
		then: func() {
			t.settle(block.earned())
			if block.began {
				g.blockBegan(enforce.Block{Network: o.network, For: block.left, Reason: reasonBadRcpts})
			}
		},
	}, t.owes)
}

// count counts a verdict in the ledger.
func (g *guard) count(v decide.Verdict) {
	enter := func(t *ledger.Tx) { t.Count(int(v)) }
	if err := g.inLedger(enter); held(err) {
		g.later(debt{enter: enter}, func() {})
	}
}

// later keeps a debt. If there is room for it, kept is called before anybody can pay it.
func (g *guard) later(d debt, kept func()) {
	d.since = time.Now()
	g.debts.mu.Lock()
	defer g.debts.mu.Unlock()
	if len(g.debts.list) >= maxDebts {
		g.debts.lost++
		return
	}
	kept()
	g.debts.list = append(g.debts.list, d)
}

// pay writes what the ledger has not been told, as far as it can be had now. Only the watch calls
// it.
func (g *guard) pay(now time.Time) {
	d := &g.debts
	d.mu.Lock()
	due, lost := d.list, d.lost
	d.list, d.lost = nil, 0
	d.mu.Unlock()
	if lost > 0 {
		g.warn(fmt.Sprintf("guard: the ledger could not be had for so long; counts or blocks given up: %d", lost))
	}
	if len(due) == 0 {
		return
	}
	oldest := now.Sub(due[0].since)
	paid := 0
	var err error
	for _, debt := range due {
		if err = g.inLedger(debt.enter); err != nil {
			break
		}
		paid++
		if debt.then != nil {
			debt.then()
		}
	}
	switch rest := due[paid:]; {
	case err != nil && !held(err):
		g.warn(fmt.Sprintf("guard: the ledger is lost, and with it counts or blocks that waited for it: %d", len(rest)))
		d.told = false
		for _, debt := range rest {
			if debt.then != nil {
				debt.then()
			}
		}
	case err != nil:
		if oldest >= slowDebt && !d.told {
			d.told = true
			g.warn(fmt.Sprintf("guard: the ledger could not be had for %v; counts or blocks that wait for it: %d",
				oldest.Round(time.Second), len(rest)))
		}
		d.mu.Lock()
		d.list = append(rest, d.list...)
		d.mu.Unlock()
	case d.told:
		d.told = false
		g.note(fmt.Sprintf("guard: the ledger has the counts or blocks that waited for it, for %v at most: %d",
			oldest.Round(time.Second), paid))
	}
}
