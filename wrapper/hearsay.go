package wrapper

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// Hearsay is what a command knows from DNS about a client that has not come. Nothing of it is kept
// in the ledger.
type Hearsay struct {
	Request    lookup.Request // what DNS would be asked; the caller asks it, and sets Until
	Behavior   []ledger.List  // of Request.Lists
	Remembered lookup.Result  // what the ledger knows already; see Left
	Left       time.Duration  // for which that still holds; 0 = it knows nothing
	Result     lookup.Result  // what DNS has said to the caller: Done, or there is none
}

// Hearsay is that of a client about which nothing was asked yet. It is nil if the configuration has
// neither lists nor rules for names.
//
// An error is the ledger's. Then all lists are asked, and tested.
func (d *Door) Hearsay(client netip.Addr) (h *Hearsay, err error) {
	hasLists := len(d.Policy.Lists) > 0
	if !hasLists && !d.Policy.HasNames() {
		return nil, nil
	}
	var f decide.Facts
	d.rules(&f, client, d.Ledger.HasRoom())
	h = &Hearsay{Request: lookup.Request{
		Addr: client.WithZone("").Unmap(), Names: d.Policy.HasNames(),
	}}
	a := d.askerFor()
	of := a.ofNames
	if f.Limits.AsksLists {
		h.Request.Lists, of = d.Policy.Lists, a.of
	}
	h.Behavior = make([]ledger.List, len(h.Request.Lists))
	if d.Ledger.IsOpen() {
		var known []ledger.List
		if known, err = d.Ledger.Lists(ledger.Now(), zones(h.Request.Lists)); err == nil {
			h.Behavior = known
		}
		found := d.Ledger.PeekLookup(h.Request.Addr, of)
		if r, ok := lookup.Decode(found.Data, len(h.Request.Lists)); ok &&
			found.State == ledger.Asked {
			h.Remembered, h.Left = r, found.Left
		}
	}
	for i, l := range h.Behavior {
		q := &h.Request
		switch {
		case l.Aside > 0:
		case l.Tested:
			q.Ask, q.Trusted = q.Ask.With(i), q.Trusted.With(i)
		default:
			q.Ask, q.Test = q.Ask.With(i), q.Test.With(i)
		}
	}
	return h, err
}

// IsRemembered says whether the ledger remembers what DNS has said. As long as it does, clients do
// not have DNS asked again.
func (h *Hearsay) IsRemembered() bool { return h != nil && h.Left > 0 }

// isNew says whether what DNS has said to the caller decides.
func (h *Hearsay) isNew() bool { return h != nil && h.Result.Done && !h.IsRemembered() }

// decisive is the result that decides, with its names in the order in which they do.
func (d *Door) decisive(h *Hearsay) lookup.Result {
	r := h.Result
	if h.IsRemembered() {
		r = h.Remembered
	}
	r.Names = d.inOrder(r.Names)
	return r
}

// HeardNames are the names of the client that count, in the order in which they decide. known is
// false if it is not known which names it has.
func (d *Door) HeardNames(h *Hearsay) (names []string, known bool) {
	if h == nil || !h.Request.Names {
		return nil, false
	}
	r := d.decisive(h)
	return r.Names, r.Done
}

func zones(lists []dnsbl.List) (all []string) {
	for i := range lists {
		all = append(all, lists[i].Zone)
	}
	return all
}
