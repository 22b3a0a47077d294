package resolve

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// lengthSize is the size of what precedes a message by TCP, its length (RFC 1035 section 4.2.2).
const lengthSize = 2

// stream is a question by TCP.
type stream struct {
	out []byte // what is not written yet
	in  []byte // what has come; it grows with that alone
}

// wanted is how many bytes the answer still lacks, or its length does; 0 if it is complete.
func (s *stream) wanted() int {
	if len(s.in) < lengthSize {
		return lengthSize - len(s.in)
	}
	return lengthSize + int(binary.BigEndian.Uint16(s.in)) - len(s.in)
}

// askByStream asks the same server by TCP, with another id. It has the timeout of resolv.conf from
// now; if it fails, the server is asked no more.
func (r *Resolver) askByStream(q *Query, now time.Time) {
	r.closeSocket(q)
	id, err := r.random.id()
	if err != nil {
		r.fail(q, Failed, now)
		return
	}
	message, err := pack(id, q.question)
	if err == nil {
		err = r.connect(q, unix.SOCK_STREAM, unix.EPOLLOUT)
	}
	if err != nil {
		r.fail(q, Failed, now)
		return
	}
	binary.BigEndian.PutUint16(message, uint16(len(message)-lengthSize))
	q.id, q.stream = id, &stream{out: message}
	r.setDue(q, now.Add(q.list.timeout))
}

// onStream writes the question, then reads the answer.
func (r *Resolver) onStream(q *Query, now time.Time) {
	if len(q.stream.out) > 0 && !r.writeStream(q, now) {
		return
	}
	var buf [4096]byte
	for range maxReads {
		r.calls.reads++
		n, err := unix.Read(q.fd, buf[:min(len(buf), q.stream.wanted())])
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
			continue
		case err != nil || n == 0:
			r.fail(q, Failed, now)
			return
		}
		q.stream.in = append(q.stream.in, buf[:n]...)
		if q.stream.wanted() == 0 {
			r.onAnswerByStream(q, now)
			return
		}
	}
}

// writeStream reports whether all of the question is written. The first write also says whether the
// connection could be made.
func (r *Resolver) writeStream(q *Query, now time.Time) bool {
	r.calls.sends++
	n, err := unix.SendmsgN(q.fd, q.stream.out, nil, nil, unix.MSG_NOSIGNAL)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false
	case err != nil:
		r.fail(q, Failed, now)
		return false
	}
	q.stream.out = q.stream.out[n:]
	if len(q.stream.out) > 0 {
		return false
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: q.slot}
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_MOD, q.fd, &event); err != nil {
		r.fail(q, Failed, now)
		return false
	}
	return true
}

func (r *Resolver) onAnswerByStream(q *Query, now time.Time) {
	answer, what := read(q.stream.in[lengthSize:], q.id, q.question)
	if what == foreign {
		r.fail(q, Failed, now)
		return
	}
	r.onMessage(q, answer, what, now)
}
