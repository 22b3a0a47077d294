package maillog

import "bytes"

// fifoSize is how many bytes of lines may wait: some 1,500 lines, which is what a syslogd that is
// restarted misses in a busy second or two.
const fifoSize = 256 << 10

// fifo holds the frames that wait, first come first out, each with the byte that ends it. It is a
// ring: the frame that reaches its end goes on at its beginning.
type fifo struct {
	ring [fifoSize]byte
	head int // where the first frame begins
	len  int // bytes that wait
}

// push adds a frame, or is false where there is no room for all of it.
func (f *fifo) push(frame []byte) bool {
	if len(frame) > fifoSize-f.len {
		return false
	}
	tail := (f.head + f.len) % fifoSize
	n := copy(f.ring[tail:], frame)
	copy(f.ring[:], frame[n:])
	f.len += len(frame)
	return true
}

// first copies the first frame, which ends with end, into dst. There must be one, and it must fit.
func (f *fifo) first(dst []byte, end byte) []byte {
	n := copy(dst, f.ring[f.head:])
	copy(dst[n:], f.ring[:])
	return dst[:bytes.IndexByte(dst, end)+1]
}

// drop takes the first n bytes away.
func (f *fifo) drop(n int) {
	f.head = (f.head + n) % fifoSize
	f.len -= n
}
