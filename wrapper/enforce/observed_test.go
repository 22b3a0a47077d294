package enforce

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// Under block observe a block that strikes or the guard have made ends no session and never runs
// on_block, not even when a wider block ends; one by hand does both. When the word is written, a
// firewall forgets the former.
func TestObservedBlock(t *testing.T) {
	const observed, byHand = "192.0.2.9/32", "198.51.100.9/32"
	const why = "its block line ends in observe"
	p := inPlace(t, "block grace=0s observe")
	p.hook(`echo "$2 $4 $5" >>${0%/*}/runs`)
	hook := "on_block " + p.file("hook") + " first\n"
	s := p.serve("192.0.2.9")
	b := p.block(observed, time.Hour)
	if p.enforcer().LookForWork(b) {
		t.Error("there is work")
	}
	if o := p.enforcer().CarryOut(b); o.Sessions != why || o.OnBlock != why || o.HookRan {
		t.Errorf("%+v; want it observed", o)
	}
	if !s.leftAlone() {
		t.Error("the session was ended")
	}
	other := p.serve("198.51.100.9")
	hand := Block{netip.MustParsePrefix(byHand), time.Hour, "test", true}
	p.do(func(tx *ledger.Tx) {
		tx.BlockByHand(hand.Network, hand.For, hand.Reason, ledger.Penalty{Max: hand.For})
	})
	if !p.enforcer().LookForWork(hand) {
		t.Error("there is no work about a block by hand")
	}
	if o := p.enforcer().CarryOut(hand); o.Ended != 1 || !o.HookRan {
		t.Errorf("%+v; want a block by hand carried out", o)
	}
	other.ends()
	wider := Block{Network: netip.MustParsePrefix("192.0.2.0/24"), Reason: "unblock"}
	if err := p.enforcer().RunHook(wider); err != nil {
		t.Error(err)
	}
	want := []string{byHand + " 3600 test\n", "192.0.2.0/24 0 unblock\n"}
	if runs := p.runs(); !slices.Equal(runs, want) {
		t.Errorf("on_block ran for %q; want %q", runs, want)
	}

	p.write("runs", "", 0o600)
	q := p.queue()
	p.configure(hook + "block grace=0s observe")
	q.Configure(p.config, p.log)
	lab.Eventually(p, "on_block has run", func() bool { return q.Hurry() })
	if runs := p.runs(); len(runs) != 1 || runs[0] != observed+" 0 observe\n" {
		t.Errorf("on_block ran for %q; want the end of %s", runs, observed)
	}
}
