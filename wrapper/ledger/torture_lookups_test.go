package ledger

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"time"
)

// lookUp keeps what it has found out about a client, and for others, too. What it finds is whole.
func (w *worker) lookUp() {
	host, zone := hostN(rand.IntN(50)), strconv.Itoa(rand.IntN(40))+".example"
	whole := func(found Lookup) {
		if found.State == Asked && !isPlain(found.Data) {
			w.line.broken.Add(1)
		}
	}
	whole(w.l.PeekLookup(host, of))
	w.do(func(t *Tx) {
		whole(t.Lookup(host, of))
		t.ClaimLookup(host, of, Self())
	})
	w.do(func(t *Tx) {
		t.CountList(zone, Listed, 10)
		if l := t.List(zone); l.Asked < l.Listed || l.Asked > l.Listed+l.Failed {
			w.line.broken.Add(1)
		}
		if rand.IntN(3) == 0 {
			t.DropLookup(host, of, Self())
			return
		}
		t.KeepLookup(host, of, plain(byte(rand.IntN(256))), time.Minute)
	})
}

// plain is a result of the same byte again and again, as many as it says itself.
func plain(b byte) []byte { return bytes.Repeat([]byte{b}, int(b)%(LookupSize+1)) }

func isPlain(data []byte) bool { return len(data) == 0 || bytes.Equal(data, plain(data[0])) }
