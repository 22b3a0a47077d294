package ledger

import (
	"net/netip"
	"time"
)

// LookupSize is how many bytes of a lookup's result are kept at most.
const LookupSize = 216

// Lookup is what is remembered of what DNS has said about one address. The ledger does not know
// what it means.
type Lookup struct {
	State LookupState
	Data  []byte        // of a result; a copy
	Left  time.Duration // for which the result still holds
}

// LookupState says whether somebody has to ask.
type LookupState uint8

const (
	NotAsked LookupState = iota // or so long ago that it does not count
	Asking                      // a living process asks
	Asked                       // the result is there
)

// Lookup returns what is remembered of an address. of says by which configuration it was asked: a
// result of another one is none.
func (t *Tx) Lookup(addr netip.Addr, of uint64) Lookup { return Lookup{} }

// ClaimLookup says that process p asks about the address. It reports false if another living
// process asks already, or if there is a result. The claim ends by KeepLookup or DropLookup, when p
// has ended, or after a time.
func (t *Tx) ClaimLookup(addr netip.Addr, of uint64, p Process) (claimed bool) { return true }

// KeepLookup keeps a result for ttl: at most LookupSize bytes, or it is not kept.
func (t *Tx) KeepLookup(addr netip.Addr, of uint64, data []byte, ttl time.Duration) {}

// DropLookup ends the claim of process p without a result.
func (t *Tx) DropLookup(addr netip.Addr, of uint64, p Process) {}

// PeekLookup is Lookup without the lock, for a process that waits for another's result. A moment in
// which the ledger changes reads as Asking.
func (l *Ledger) PeekLookup(addr netip.Addr, of uint64) Lookup { return Lookup{} }
