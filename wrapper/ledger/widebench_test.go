package ledger

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkWide prints medians of an arrival and its end on an open ledger with 60,000 clients, and
// of all that a process does for them, opening included; with limits of no wide network, of one and
// of two. They take turns, so that other load on the machine affects each of them.
func BenchmarkWide(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ledger")
	l, err := filled(path, 60_000)
	if err != nil {
		b.Fatal(err)
	}
	self, n := Self(), 0
	const kinds = 2
	var all [kinds][MaxWide + 1][]float64
	for b.Loop() {
		for widths := range MaxWide + 1 {
			n++
			a := greeted(n * 7919 % 60_000)
			limitWide(&a, widths)
			began := time.Now()
			err := ledgerWork(l, a, self)
			worked := time.Now()
			if err == nil {
				err = arrivalOf(path, a)
			}
			if err != nil {
				b.Fatal(err)
			}
			all[0][widths] = append(all[0][widths], float64(worked.Sub(began)))
			all[1][widths] = append(all[1][widths], float64(time.Since(worked)))
		}
	}
	b.ReportMetric(0, "ns/op")
	for kind, what := range [kinds]string{"works", "arrival"} {
		for widths, took := range all[kind] {
			b.ReportMetric(middle(took), fmt.Sprintf("%s-%d-wide-ns", what, widths))
		}
	}
}

// limitWide gives the arrival limits of so many wide networks.
func limitWide(a *Arrival, widths int) {
	if widths == 0 {
		return
	}
	a.WideLimits = new([MaxWide]WideLimits)
	for n, bits := range []int{24, 16}[:widths] {
		network := netip.PrefixFrom(a.Client.Addr(), bits).Masked()
		a.WideLimits[n] = WideLimits{Network: network, Conns: 200, Rate: 65535, Per: time.Minute}
	}
}
