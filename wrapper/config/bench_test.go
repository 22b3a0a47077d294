package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
)

// nthNetwork is one of 2^24 networks, none of which holds the client.
func nthNetwork(n int) string { return fmt.Sprintf("10.%d.%d.%d/32", n>>16&255, n>>8&255, n&255) }

// manyLines are n lines like the one given, with another network each in place of %s.
func manyLines(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(line, "%s", nthNetwork(i), 1))
	}
	return b.String()
}

// BenchmarkLoad is what a connection pays for networks that do not hold its client, also
// as a multiple of what parsing them alone costs.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{0, 10, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := write(b, "mta /usr/sbin/sendmail -bs\n"+manyLines(n, "allow %s\n"))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(path, allowlist.For(client)); err != nil {
					b.Fatal(err)
				}
			}
			if n > 0 {
				mine := b.Elapsed() / time.Duration(b.N)
				b.ReportMetric(float64(mine)/float64(parseAlone(b, n)), "×parse")
			}
		})
	}
}

// parseAlone is the time that netip.ParsePrefix takes for n networks, the best of several.
func parseAlone(b *testing.B, n int) time.Duration {
	networks := strings.Fields(manyLines(n, "%s\n"))
	best := time.Hour
	for range 20 {
		begin := time.Now()
		for _, network := range networks {
			if _, err := netip.ParsePrefix(network); err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(begin))
	}
	return best
}

// BenchmarkLoadClient is the same for networks with limits of their own.
func BenchmarkLoadClient(b *testing.B) {
	path := write(b, manyLines(10_000, "client %s greet_delay=0s client_rate=10/1m client_conns=5\n"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(path, allowlist.For(client)); err != nil {
			b.Fatal(err)
		}
	}
}
