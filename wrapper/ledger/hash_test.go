package ledger

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
)

// The key 00 01 … 0f and inputs 00 01 …, of each length for which the paper or the reference code
// gives a result.
func TestUnguessableSipHash(t *testing.T) {
	key := [2]uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	want := map[int]string{
		0:  "310e0edd47db6f72",
		1:  "fd67dc93c539f874",
		2:  "5a4fa9d909806c0d",
		3:  "2d7efbd796666785",
		4:  "b7877127e09427cf",
		5:  "8da699cd64557618",
		6:  "cee3fe586e46c9cb",
		7:  "37d1018bf50002ab",
		8:  "6224939a79f5f593",
		15: "e545be4961ca29a1", // a129ca6149be45e5 as a number, appendix A of the paper
	}
	var input [16]byte
	for i := range input {
		input[i] = byte(i)
	}
	for n, text := range want {
		var sum [8]byte
		binary.LittleEndian.PutUint64(sum[:], sipHash(key, input[:n]))
		if got := fmt.Sprintf("%x", sum); got != text {
			t.Errorf("%d bytes: %s; want %s", n, got, text)
		}
	}
}

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
