package maillog

import "bytes"

// fifoSize is how many bytes of lines may wait: about 1,500 lines, as many as a busy room writes in
// the second or two in which syslogd restarts.
const fifoSize = 256 << 10

// fifo holds the waiting frames in their order, each with the byte that ends it. It is a ring: a
// frame that reaches its end continues at its beginning.
type fifo struct {
	ring [fifoSize]byte
	head int // where the first frame begins
	len  int // bytes in use
}

// push adds a frame, if there is room for all of it.
func (f *fifo) push(frame []byte) (ok bool) {
	if len(frame) > fifoSize-f.len {
		return false
	}
	tail := (f.head + f.len) % fifoSize
	n := copy(f.ring[tail:], frame)
	copy(f.ring[:], frame[n:])
	f.len += len(frame)
	return true
}

// first copies the first frame, which ends with the byte end, into dst. There must be one, and dst
// must be long enough.
func (f *fifo) first(dst []byte, end byte) []byte {
	n := copy(dst, f.ring[f.head:])
	copy(dst[n:], f.ring[:])
	return dst[:bytes.IndexByte(dst, end)+1]
}

// drop removes the first n bytes.
func (f *fifo) drop(n int) {
	f.head = (f.head + n) % fifoSize
	f.len -= n
}
