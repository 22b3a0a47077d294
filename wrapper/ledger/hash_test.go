package ledger

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// Knowing where one file puts an address says nothing about another file.
func TestUnguessablePlaces(t *testing.T) {
	a, b := newLedger(t, 65536), newLedger(t, 65536)
	same := 0
	const hosts = 4096
	for n := range hosts {
		k := keyOf(networkN(n))
		if a.buckets(k)[0] == b.buckets(k)[0] {
			same++
		}
	}
	if same > 20 { // 1 expected in 4,096 buckets
		t.Errorf("%d of %d addresses lie in the same bucket of two files", same, hosts)
	}
}

// However addresses are chosen, they are spread evenly.
func TestUnguessableSpread(t *testing.T) {
	l := newLedger(t, 16*1024)
	for _, tt := range []struct {
		name string
		host func(n uint32) netip.Prefix
	}{
		{"one after the other", func(n uint32) netip.Prefix { return networkN(int(n)) }},
		{"the first of each /24", func(n uint32) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n),
				1}), 32)
		}},
		{"each /64 of a /40", func(n uint32) netip.Prefix {
			addr := [16]byte{0x20, 0x01, 0x0d, 0xb8, 0}
			binary.BigEndian.PutUint32(addr[4:], n)
			return netip.PrefixFrom(netip.AddrFrom16(addr), 64)
		}},
		{"one network of each length", func(n uint32) netip.Prefix {
			return netip.PrefixFrom(hostN(int(n/33)<<8), int(n%33))
		}},
	} {
		for choice := range 2 {
			const each = 64 // expected in a bucket
			buckets := int(l.geo.buckets)
			count := make([]int, buckets)
			seen := map[key]bool{}
			for n := uint32(0); len(seen) < each*buckets; n++ {
				k := keyOf(tt.host(n))
				if seen[k] {
					continue
				}
				seen[k] = true
				count[l.buckets(k)[choice]]++
			}
			sum := 0.0
			for _, n := range count {
				sum += float64(n-each) * float64(n-each) / each
			}
			// Chi-square with 1,023 degrees of freedom: mean 1,023, deviation 45; six of these are
			// no accident.
			if mean := float64(buckets - 1); sum < mean-6*45 || sum > mean+6*45 {
				t.Errorf("%s, choice %d: chi-square %.0f for %d buckets", tt.name, choice, sum,
					buckets)
			}
		}
	}
}
