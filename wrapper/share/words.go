package share

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// maxWords is of how many networks the last word is kept. If there are more, the older half is
// forgotten: 32,768 take 12 MB, twice that until Go's collector runs, and the unit has 64 MB.
const maxWords = 32_768

// Words are the last word about each network, and make sure that the ledger follows them. The zero
// Words are ready for use.
type Words struct {
	last map[netip.Prefix]word
}

// word is an event that holds.
type word struct {
	Event
	applied uint64 // this machine's last event when this one was applied: later ones knew it
	stated  bool   // the state has it, as far as it was read
}

// Own notes an event of this machine, a block or its end, and sets its time: it is later than every
// word that the machine knew then. If reapply is true, the ledger follows a word that is older than
// the event: it must be told again.
func (w *Words) Own(e *Event) (reapply bool) {
	last, found := w.last[e.Network]
	knew := e.Number > last.applied
	if found && knew && !e.newer(&last.Event) {
		e.At = last.At + 1
	}
	if found && !e.newer(&last.Event) {
		return false
	}
	w.Applied(*e, e.Number)
	return found && !knew
}

// Wins says whether an event, a block or its end, is the last word about its network.
func (w *Words) Wins(e *Event) bool {
	last, found := w.last[e.Network]
	return !found || e.newer(&last.Event)
}

// Last is the last word about a network.
func (w *Words) Last(network netip.Prefix) Event { return w.last[network].Event }

// ReadState says that the state is about to be read from its beginning, and Stated that it has the
// event.
func (w *Words) ReadState() {
	for network, x := range w.last {
		x.stated = false
		w.last[network] = x
	}
}

func (w *Words) Stated(e *Event) {
	if x, found := w.last[e.Network]; found && x.Origin == e.Origin && !x.newer(e) {
		x.stated = true
		w.last[e.Network] = x
	}
}

// Unstated is what the state lacks: what that machine has said last, wherever nobody has said
// anything later.
func (w *Words) Unstated(origin string) (all []Event) {
	for _, x := range w.last {
		if x.Origin == origin && !x.stated {
			all = append(all, x.Event)
		}
	}
	return all
}

// Applied notes that the ledger follows the event, and that the machine had that number of its own
// events then.
func (w *Words) Applied(e Event, own uint64) {
	if w.last == nil {
		w.last = map[netip.Prefix]word{}
	}
	w.last[e.Network] = word{Event: e, applied: own}
	if len(w.last) > maxWords {
		w.forgetOlder()
	}
}

// Trim forgets what cannot matter at that time of the engine.
func (w *Words) Trim(now int64) {
	maps.DeleteFunc(w.last, func(_ netip.Prefix, x word) bool {
		return now-x.At > EndKept.Milliseconds()
	})
}

// forgetOlder forgets the older half of the words.
func (w *Words) forgetOlder() {
	all := make([]word, 0, len(w.last))
	for _, x := range w.last {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b word) int { return cmp.Compare(a.At, b.At) })
	for _, x := range all[:len(all)/2] {
		delete(w.last, x.Network)
	}
}
