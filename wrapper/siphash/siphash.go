// Package siphash is a hash that only who has the key can compute: nobody else can choose inputs
// whose hashes are the same or near each other.
package siphash

import (
	"encoding/binary"
	"math/bits"
)

// Sum is SipHash-2-4 of data under key (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// 2012).
func Sum(key [2]uint64, data []byte) uint64 {
	v0 := key[0] ^ 0x736f6d6570736575
	v1 := key[1] ^ 0x646f72616e646f6d
	v2 := key[0] ^ 0x6c7967656e657261
	v3 := key[1] ^ 0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	absorb := func(word uint64) {
		v3 ^= word
		round()
		round()
		v0 ^= word
	}
	last := uint64(len(data)) << 56
	for ; len(data) >= 8; data = data[8:] {
		absorb(binary.LittleEndian.Uint64(data))
	}
	for i, b := range data {
		last |= uint64(b) << (8 * i)
	}
	absorb(last)
	v2 ^= 0xff
	for range 4 {
		round()
	}
	return v0 ^ v1 ^ v2 ^ v3
}
