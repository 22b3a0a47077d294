package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
)

// nthNetwork is one of 2^24 networks, none of which contains the client.
func nthNetwork(n int) string { return fmt.Sprintf("10.%d.%d.%d/32", n>>16&255, n>>8&255, n&255) }

// manyLines repeats a line n times, each time with another network in place of %s.
func manyLines(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(line, "%s", nthNetwork(i), 1))
	}
	return b.String()
}

// BenchmarkLoad is the cost of networks that do not contain the client, also as a multiple of
// parsing them alone.
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

// parseAlone is the time of netip.ParsePrefix for n networks, the best of several.
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
	path := write(b,
		manyLines(10_000, "client %s greet_delay=0s client_rate=10/1m client_conns=5\n"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(path, allowlist.For(client)); err != nil {
			b.Fatal(err)
		}
	}
}
