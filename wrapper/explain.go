package wrapper

import (
	"net/netip"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// Explain says test by test what would happen to the client if it came now, without counting it.
// The limits of a room hold if a room runs on this ledger. For a client that would have to wait
// Explain says what each behavior would lead to, and the verdict is that of a client that waits. It
// asks DNS nothing: what that says is in heard, which may be nil.
//
// An error is the ledger's. What is returned with it is the decision without a ledger.
func (d *Door) Explain(client netip.Addr, heard *Hearsay) (
	steps []decide.Step, v decide.Verdict, facts decide.Facts, err error,
) {
	shown := decide.Shown{Facts: &facts}
	d.facts(&facts, client, d.Ledger.HasRoom())
	shown.HasLists, shown.HasNames = len(d.Policy.Lists) > 0, d.Policy.Rules.HasNames()
	shown.HasMap = d.Policy.Map != nil
	var said lookup.Result
	applySaid := func() { // commands read the text: all of it can be read
		_ = d.applyResult(&facts, client, &said, d.Ledger.HasRoom())
	}
	if heard.IsRemembered() || heard.isNew() {
		said = d.decisive(heard)
		shown.Heard, shown.Names = true, said.Names
		shown.Hits = HitsText(heard.Request.Lists, said.Hits)
	}
	if heard.IsRemembered() {
		applySaid()
	}
	network := d.Network(client)
	if own, found := d.addresses.In(network); found {
		shown.Own = "its network holds " + own.String() + ", an address of this machine"
	}
	isOwn := d.OwnOf(network, &facts.Limits)
	copy(shown.WideOwn[:], isOwn[1:])
	if d.Ledger.IsOpen() {
		a := arrival(netip.AddrPortFrom(client, 0), network, d.countsWide(client), &facts.Limits)
		err = d.Ledger.Do(ledger.Now(), func(t *ledger.Tx) {
			facts.Standing = t.Look(a)
			shown.Rcpts = t.Rcpts(network, facts.Limits.BadRcptsTotal.Per)
			for n := range d.Policy.Wide {
				wide, rcpts := facts.Limits.Wide[n].Network, facts.Limits.WideRcpts[n]
				shown.WideStrikes[n] = t.Strikes(wide, d.Policy.Block.Within)
				shown.WideRcpts[n] = t.Rcpts(wide, rcpts.Per)
			}
		})
		if n, live, failed := d.Ledger.Report(ledger.Now()); failed == nil {
			// As status has them: Look frees the sessions of the dead only near a limit.
			facts.Serving, facts.Waiting = n.Serving, n.Waiting
			onlyLive(&facts, live)
		}
	}
	v, shown.Would = facts.Decide(), facts.Would((*decide.Facts).Decide)
	if heard.isNew() {
		facts.Score = said.Score
	}
	if v == decide.Undecided {
		if heard.isNew() {
			applySaid()
		}
		conclude := func(f *decide.Facts) decide.Verdict { return f.Conclude(decide.Quiet) }
		if v = conclude(&facts); shown.Would == decide.Undecided {
			shown.Would = facts.Would(conclude)
		}
	}
	return shown.Steps(v), v, facts, err
}

// onlyLive takes the sessions of the dead out of the counts of wide networks.
func onlyLive(f *decide.Facts, live []ledger.LiveSession) {
	for i := range f.WideCounts {
		n := int32(0)
		for _, s := range live {
			if f.Limits.Wide[i].Network.Contains(s.Client.Addr()) {
				n++
			}
		}
		f.WideCounts[i].Conns = min(f.WideCounts[i].Conns, n)
	}
}
