package ledger

import (
	"net/netip"
	"path/filepath"
	"testing"
)

// A ledger holds exactly as many sessions as SessionsFor says. ClientsFor names a ledger that holds
// the given number.
func TestCapacity(t *testing.T) {
	for _, clients := range []int{MinClients, 8192, 8200, 10000} {
		dir := t.TempDir()
		l, _, err := Open(filepath.Join(dir, "sub", "ledger"), clients, ThisBoot())
		if err != nil {
			t.Fatal(err)
		}
		n, most := 0, SessionsFor(clients)
		a := Arrival{Client: netip.MustParseAddrPort("192.0.2.1:25"),
			Network: netip.MustParsePrefix("192.0.2.1/32")}
		for stood := true; stood && err == nil; {
			err = l.Do(Now(), func(tx *Tx) { _, stood = tx.Enter(a, Self()) })
			if stood {
				n++
			}
		}
		if err != nil || n != most {
			t.Errorf("clients=%d: %d sessions, %v; want %d", clients, n, err, most)
		}
		_ = l.Close()
	}
	for sessions := 1; sessions < 40000; sessions++ {
		if c := ClientsFor(sessions); SessionsFor(c) < sessions || sessions > minSlots &&
			SessionsFor(c-2*wordBits) >= sessions {
			t.Fatalf("ClientsFor(%d) is %d, with room for %d", sessions, c, SessionsFor(c))
		}
	}
}
