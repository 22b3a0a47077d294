package maillog

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// reconnectPause is the least time from one try to reach a syslogd to the next, so that one who
	// is away costs nearly nothing, and one who is back is soon found.
	reconnectPause = 100 * time.Millisecond

	// stuckTime is how long a socket may have no room until we look whether its path leads to
	// another one by now: where somebody holds the old one open, the kernel says no more than that
	// it is full.
	stuckTime = time.Second

	// flushMax is how many lines go out at one time, some 0.1 ms of work, however many wait.
	flushMax = 64

	// flushEvery is which of the lines that find others before them looks for room. Linux lets 11
	// datagrams wait in a socket (net.unix.max_dgram_qlen), so that to look only once for a batch
	// of clients would mean 11 lines a batch.
	flushEvery = 8
)

// errLost is what Write returns for each line lost: made once, as they may be many.
var errLost = os.NewSyscallError("send", unix.EAGAIN)

// Queue is where the lines go of a process that serves many clients and must not wait for a log. It
// holds one socket open, sends each line at once if it can, and keeps those that find no room, up
// to 256 KiB, for [Queue.Flush] to send in their order. What exceeds these is lost, and a line in
// its place says how many were.
//
// A syslogd that is away or was restarted is looked for ten times a second. What it had not read
// when it ended is lost, and nobody is told: the kernel does not tell us.
//
// A Queue and its Log are for one goroutine.
type Queue struct {
	to     Log
	end    byte // ends a frame, except as a datagram
	fd     int  // where frames go; -1 is nowhere
	stream bool // fd takes bytes, not datagrams

	patience time.Duration // what Flush has said last

	again time.Time // not before then is a syslogd looked for
	full  time.Time // since when there has been no room; zero if there was

	waiting fifo
	sent    int // bytes of the first frame that went into the stream
	lost    int // lines that would stand behind all that wait
	behind  int // lines that found others before them, for flushEvery

	frame [MaxFrame + 1]byte // the line at hand
}

// NewQueue returns a Queue of what leads to where lines of to go. It connects at once, while
// descriptors are free, but nobody need be there yet.
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

// Log is a Log whose lines go to the queue. Its Write never waits.
func (q *Queue) Log() Log {
	l := q.to
	l.queue = q
	return l
}

// Flush sends what is queued, as far as there is room, and never waits. If lines are still pending
// it says in how long it is to be called again: in a millisecond where there is somebody who reads,
// since a socket may have room for no more than 11 at a time; later and later where nobody does, or
// is. It costs nothing while no line is queued.
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
		q.confess()
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

// Close sends what is queued, closes the socket and forgets the rest. It alone waits, up to
// [Patience].
func (q *Queue) Close() {
	for deadline := time.Now().Add(Patience); q.Flush() > 0 && time.Now().Before(deadline); {
		time.Sleep(Patience / 20)
	}
	q.hangUp()
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
	if q.lost > 0 { // even if this one would fit: it must not overtake the count
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

// confess queues the line that says how many were lost, once half of the queue is free. Not sooner:
// with a reader who is always too slow, every second line would be one of these.
func (q *Queue) confess() {
	if q.lost == 0 || q.waiting.len > fifoSize/2 {
		return
	}
	text := "log: nobody read it in time; lines lost here: " + strconv.Itoa(q.lost)
	q.waiting.push(q.line(unix.Getpid(), Warning, text))
	q.lost = 0
}

// line makes the frame of a line, its end included. It is good until the next one.
func (q *Queue) line(pid int, level Level, text string) []byte {
	return append(appendFrame(q.frame[:0], q.to.to, pid, level, text), q.end)
}

// send sends the first of the frames that wait, or what is left of it. It is true when all of it is
// gone.
func (q *Queue) send(frame []byte) bool {
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
		q.hangUp() // ECONNREFUSED, EPIPE and the like: whoever was there has left
	}
	return false
}

// put sends one frame, or as much of it as a stream takes, and says how much.
func (q *Queue) put(frame []byte) (n int, err error) {
	switch {
	case q.to.to == stderr:
		if !isReady(q.fd) {
			return 0, unix.EAGAIN
		}
		return unix.Write(q.fd, frame) // as write does
	case q.stream:
		return unix.SendmsgN(q.fd, frame, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	return len(frame), unix.Send(q.fd, frame[:len(frame)-1], unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// isReady is whether fd takes a frame now, or will say what is wrong with it.
func isReady(fd int) bool {
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
	return n > 0
}

// noRoom notes that fd takes nothing, and leaves a socket that has not done so for stuckTime. A
// stream stays: its path may lead anywhere, it is the same connection, and half a line is in it.
func (q *Queue) noRoom() {
	now := time.Now()
	switch {
	case q.full.IsZero():
		q.full = now
	case now.Sub(q.full) > stuckTime && q.to.to == syslog && !q.stream:
		q.hangUp()
	}
}

// connect looks for a reader, unless it did so just now. Where there is none, or no descriptor is
// free, it is false.
func (q *Queue) connect() bool {
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

// ownStderr is a pipe on fd 2 once more, which does not block: the one that we were given is shared
// with others, who may fill it between our look and our write, and must not be made so for them.
// Whatever else is there is used as it is.
func ownStderr() int {
	var st unix.Stat_t
	if unix.Fstat(2, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
		if fd, err := unix.Open("/proc/self/fd/2", unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			return fd
		}
	}
	return 2
}

// hangUp closes the socket. The line that was half in it will go to the next one in whole.
func (q *Queue) hangUp() {
	if q.fd >= 0 && q.fd != 2 {
		unix.Close(q.fd)
	}
	q.fd, q.sent, q.full = -1, 0, time.Time{}
}
