package resolve

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// random gives ids that cannot be guessed, each once.
type random struct {
	block [64]byte
	left  int
}

// id is an error only before the kernel has gathered entropy, early at boot.
func (r *random) id() (uint16, error) {
	if r.left < 2 {
		n, err := unix.Getrandom(r.block[:], unix.GRND_NONBLOCK)
		if err != nil {
			return 0, err
		}
		r.left = n
	}
	r.left -= 2
	return binary.BigEndian.Uint16(r.block[r.left:]), nil
}
