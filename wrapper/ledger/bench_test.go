package ledger

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

func addrN(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 25)
}

func arrivalN(n int) Arrival {
	a := addrN(n)
	return Arrival{Client: a, Network: netip.PrefixFrom(a.Addr(), 32), Limits: Limits{Serving: 300, Waiting: 1000, Conns: 50, Rate: 100, Per: time.Minute}}
}

func BenchmarkArrival(b *testing.B) {
	for _, n := range []int{10, 60000} {
		for _, what := range []string{"open", "operation"} {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "ledger")
				l, _, err := Open(path, 65536, ThisBoot())
				if err != nil {
					b.Fatal(err)
				}
				for i := range n {
					if err := l.Do(Now(), func(t *Tx) { t.Remember(netip.PrefixFrom(addrN(i).Addr(), 32), time.Hour) }); err != nil {
						b.Fatal(err)
					}
				}
				i := 0
				for b.Loop() {
					i++
					a := arrivalN(i % n)
					if what == "open" {
						l, _, err = Open(path, 65536, ThisBoot())
						if err != nil {
							b.Fatal(err)
						}
					}
					self := Process{PID: 1, Start: 1}
					if what == "open" {
						self = Self()
					}
					var s Session
					if err := l.Do(Now(), func(t *Tx) { t.Look(a); s, _ = t.Enter(a, self) }); err != nil {
						b.Fatal(err)
					}
					if err := l.Do(Now(), func(t *Tx) { t.Leave(s); t.Count(9) }); err != nil {
						b.Fatal(err)
					}
					if what == "open" {
						l.Close()
					}
				}
			})
		}
	}
}
