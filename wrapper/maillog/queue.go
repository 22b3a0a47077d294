package maillog

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// reconnectPause is the least time between two tries to connect to syslogd. A syslogd that is
	// away then costs nearly nothing, and one that is back is found soon.
	reconnectPause = 100 * time.Millisecond

	// stuckTime is how long a socket may have no room until we connect again: syslogd may have been
	// restarted. If a process holds the old socket open, the kernel only says that it is full.
	stuckTime = time.Second

	// flushMax is how many lines one Flush sends at most: about 0.1 ms of work.
	flushMax = 64

	// flushEvery is how many lines are queued behind others until one of them calls Flush. Linux
	// keeps 11 datagrams in a socket (net.unix.max_dgram_qlen): with one Flush for each batch of
	// clients, only 11 lines would go out for each batch.
	flushEvery = 8
)

// errLost is what Write returns for a lost line. It is made once, because there may be many.
var errLost = os.NewSyscallError("send", unix.EAGAIN)

// Queue takes the lines of a process that serves many clients and must not wait for a log. It holds
// one socket open. It sends each line at once if there is room, and otherwise keeps it, up to 256
// KiB of lines, for [Queue.Flush] to send in order. Further lines are lost; a line in their place
// says how many.
//
// If syslogd is away or was restarted, the queue tries to connect ten times a second. Lines that
// syslogd had not read when it ended are lost without notice, because the kernel gives none.
//
// A Queue and its Log are for one goroutine.
type Queue struct {
	to     Log
	end    byte // ends a frame, except in a datagram
	fd     int  // -1: not connected
	stream bool // fd takes bytes, not datagrams

	patience time.Duration // the last result of Flush

	again time.Time // the next try to connect
	full  time.Time // when the socket became full; zero if it is not

	waiting fifo
	sent    int // bytes of the first frame that are in the stream already
	lost    int // lines lost since the last waiting one
	behind  int // lines queued behind others, for flushEvery

	frame [MaxFrame + 1]byte // the line at hand
}

// NewQueue returns a Queue for the lines of to. It connects at once, while descriptors are free,
// but syslogd need not be there yet.
func NewQueue(to Log) *Queue {
	q := &Queue{to: to, fd: -1}
	if to.to == stderr {
		q.end = '\n'
	}
	if to.to != none {
		q.connect()
	}
	return q
}

// Log returns the Log whose lines go to the queue. Its Write never waits.
func (q *Queue) Log() Log {
	l := q.to
	l.queue = q
	return l
}

// Flush sends queued lines as far as there is room, and never waits. If lines are left, it returns
// the time until it should be called again: a millisecond while there is a reader, since a socket
// may have room for no more than 11 lines at a time; more and more, up to reconnectPause, if there
// is none. It costs nothing while no line is queued.
func (q *Queue) Flush() (again time.Duration) {
	before := q.waiting.len
	for range flushMax {
		if q.waiting.len == 0 {
			break
		}
		frame := q.waiting.first(q.frame[:], q.end)
		if !q.send(frame) {
			break
		}
		q.waiting.drop(len(frame))
		q.reportLost()
	}
	switch {
	case q.waiting.len == 0:
		q.patience = 0
	case q.fd < 0:
		q.patience = reconnectPause
	case q.waiting.len < before || q.patience == 0:
		q.patience = time.Millisecond
	default:
		q.patience = min(2*q.patience, reconnectPause)
	}
	return q.patience
}

// Close sends queued lines for [Patience] at most, then closes the socket and drops the rest.
func (q *Queue) Close() {
	for deadline := time.Now().Add(Patience); q.Flush() > 0 && time.Now().Before(deadline); {
		time.Sleep(Patience / 20)
	}
	q.disconnect()
	q.waiting.drop(q.waiting.len)
	q.lost = 0
}

// write is [Log.WriteAs].
func (q *Queue) write(pid int, level Level, text string) error {
	if q.to.to == none {
		return nil
	}
	if q.waiting.len > 0 {
		if q.behind++; q.behind%flushEvery == 0 {
			q.Flush()
		}
	}
	if q.lost > 0 { // even if there is room: the line must not overtake the count
		q.lost++
		return errLost
	}
	frame := q.line(pid, level, text)
	if q.waiting.len == 0 && q.send(frame) {
		return nil
	}
	if !q.waiting.push(frame) {
		q.lost = 1
		return errLost
	}
	return nil
}

const lostText = "log: nobody read it in time; lines lost here: "

// reportLost queues the line that says how many were lost, as soon as half of the queue is free.
// Sooner than that, every second line would be one of these if the reader is always too slow.
func (q *Queue) reportLost() {
	if q.lost == 0 || q.waiting.len > fifoSize/2 {
		return
	}
	q.waiting.push(q.line(unix.Getpid(), Warning, lostText+strconv.Itoa(q.lost)))
	q.lost = 0
}

// line returns the frame of a line, including its end. It is valid until the next call.
func (q *Queue) line(pid int, level Level, text string) []byte {
	return append(appendFrame(q.frame[:0], q.to.to, pid, level, text), q.end)
}

// send sends the first frame, or what is left of it. It reports whether all of it has been sent.
func (q *Queue) send(frame []byte) (ok bool) {
	for q.fd >= 0 || q.connect() {
		n, err := q.put(frame[q.sent:])
		switch err {
		case nil:
			q.full = time.Time{}
			q.sent += n
			if q.sent < len(frame) {
				return false
			}
			q.sent = 0
			return true
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EINTR:
			q.noRoom()
			return false
		}
		q.disconnect() // ECONNREFUSED, EPIPE and the like: the reader has left
	}
	return false
}

// put sends one frame, or as much of it as a stream takes. It returns the number of bytes.
func (q *Queue) put(frame []byte) (n int, err error) {
	switch {
	case q.to.to == stderr:
		if !isReady(q.fd) {
			return 0, unix.EAGAIN
		}
		return unix.Write(q.fd, frame)
	case q.stream:
		return unix.SendmsgN(q.fd, frame, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	return len(frame), unix.Send(q.fd, frame[:len(frame)-1], unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// isReady reports whether a write to fd would not block.
func isReady(fd int) bool {
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	return n > 0
}

// noRoom notes that fd is full. It disconnects a datagram socket that has been full for stuckTime.
// A stream stays connected wherever its path leads now, because half a line may be in it.
func (q *Queue) noRoom() {
	now := time.Now()
	switch {
	case q.full.IsZero():
		q.full = now
	case now.Sub(q.full) > stuckTime && q.to.to == syslog && !q.stream:
		q.disconnect()
	}
}

// connect tries to connect, unless it did so just now. It fails if there is no reader, or if no
// descriptor is free.
func (q *Queue) connect() (ok bool) {
	now := time.Now()
	if now.Before(q.again) {
		return false
	}
	q.again = now.Add(reconnectPause)
	if q.to.to == stderr {
		q.fd = ownStderr()
		return true
	}
	fd, err := connect(unix.SOCK_DGRAM, q.to.path)
	q.stream = errors.Is(err, unix.EPROTOTYPE)
	if q.stream {
		fd, err = connect(unix.SOCK_STREAM, q.to.path)
	}
	q.fd = fd
	return err == nil
}

// ownStderr opens the pipe on fd 2 once more, non-blocking. Fd 2 itself is shared with other
// processes, which may fill the pipe between our poll and our write, and it must stay blocking for
// them. If fd 2 is not a pipe, ownStderr returns 2.
func ownStderr() int {
	var st unix.Stat_t
	if unix.Fstat(2, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
		const flags = unix.O_WRONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
		if fd, err := unix.Open("/proc/self/fd/2", flags, 0); err == nil {
			return fd
		}
	}
	return 2
}

// disconnect closes the socket. A line that was half in it is sent whole on the next connection.
func (q *Queue) disconnect() {
	if q.fd >= 0 && q.fd != 2 {
		unix.Close(q.fd)
	}
	q.fd, q.sent, q.full = -1, 0, time.Time{}
}
