package siphash

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// The key 00 01 … 0f and inputs 00 01 …, of each length for which the paper or the reference code
// gives a result.
func TestSum(t *testing.T) {
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
		binary.LittleEndian.PutUint64(sum[:], Sum(key, input[:n]))
		if got := fmt.Sprintf("%x", sum); got != text {
			t.Errorf("%d bytes: %s; want %s", n, got, text)
		}
	}
}
