package ledger

import "net/netip"

// Known says whether the network waited quietly not long ago. It changes nothing.
func (t *Tx) Known(network netip.Prefix) bool {
	i := t.l.find(keyOf(network))
	return i >= 0 && t.l.record(i).known(t.now)
}
