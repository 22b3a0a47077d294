package wrapper

import (
	"fmt"
	"net/netip"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// Explain tells what would happen to the client if it came now, test by test, without
// counting it. The verdict is the decision's own; nothing here decides. A client that
// would have to wait is told what each behaviour would lead to, and the verdict is that of
// the one that waits.
func (d *Door) Explain(client netip.Addr) (steps []decide.Step, v decide.Verdict, f decide.Facts, err error) {
	d.facts(&f, client)
	if own, is := d.own.In(d.Network(client)); is {
		f.Own = fmt.Sprintf("its network holds %v, an address of this machine", own)
	}
	if d.Ledger.IsOpen() {
		a := d.arrival(netip.AddrPortFrom(client, 0), &f.Limits)
		a.Limits.RcptsPer = f.Limits.BadRcptsTotal.Per
		err = d.Ledger.Do(ledger.Now(), func(t *ledger.Tx) { f.Standing = t.Look(a) })
		if n, _, failed := d.Ledger.Report(ledger.Now()); failed == nil {
			f.Serving, f.Waiting = n.Serving, n.Waiting // as status has them: Look frees the dead only near a limit
		}
	}
	if v = f.Decide(); v == decide.Undecided {
		v = f.Conclude(decide.Quiet)
	}
	return f.Explain(v), v, f, err
}
