package share

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// wordOf is the end of a block by mx1.
func wordOf(network netip.Prefix, at int64) Event {
	return Event{Kind: ledger.OutboxUnblock, Network: network, At: at, Origin: "mx1"}
}

// A word that comes twice does not win again, and an older one in the state does not state a later.
func TestWordsThatHold(t *testing.T) {
	network := netip.MustParsePrefix("192.0.2.0/24")
	old, last := wordOf(network, 100), wordOf(network, 200)
	var w Words
	w.Applied(last, 0)
	if w.Wins(&last) || w.Wins(&old) {
		t.Error("a word wins that is no later one")
	}
	w.ReadState()
	if w.Stated(&old); len(w.Unstated("mx1")) != 1 {
		t.Error("an older word states the last one")
	}
	if w.Stated(&last); len(w.Unstated("mx1")) != 0 {
		t.Error("the state lacks what it has")
	}
}

// Ends of blocks are kept for as long as a block can run. Of too many words the newest are kept,
// however many come before the next Trim.
func TestTrim(t *testing.T) {
	const now = int64(1_800_000_000_000)
	kept := func(w *Words, network netip.Prefix) bool { return w.Last(network).Kind != 0 }
	var w Words
	young, old := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	w.Applied(wordOf(young, now-(EndKept-time.Hour).Milliseconds()), 0)
	w.Applied(wordOf(old, now-(EndKept+time.Hour).Milliseconds()), 0)
	if w.Trim(now); !kept(&w, young) || kept(&w, old) {
		t.Errorf("kept: %v, %v; want the one that is younger than a block can be",
			kept(&w, young), kept(&w, old))
	}
	networkN := func(n int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}),
			32)
	}
	for n := range maxWords + 1 {
		w.Applied(wordOf(networkN(n), now+int64(n)), 0)
	}
	if len(w.last) > maxWords || !kept(&w, networkN(maxWords)) || kept(&w, networkN(0)) {
		t.Errorf("%d words; want the newest, at most %d", len(w.last), maxWords)
	}
}

// The engine's clock may go back: then the limit begins again.
func TestLimitBeginsAgain(t *testing.T) {
	l := limit{began: 2_000, n: 2}
	l.N, l.Per = 2, time.Second
	if !l.reached(2_500) || l.reached(3_000) || l.reached(1_000) {
		t.Error("the limit does not hold for a second after its beginning, and only then")
	}
}
