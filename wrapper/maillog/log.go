// Package maillog writes the one line that a connection leaves in the mail log, and the few about
// what is wrong with us.
//
// Mail comes first. A process that has one client opens a socket for each line, and waits no longer
// than [Patience] for room in it, or than [PipePatience] for room on stderr; one that serves many
// has a [Queue], and waits not at all. A line that finds no room is lost, and an error is for those
// who want to know. A line is always a single line of printable ASCII, whoever had a say in its
// text, so that no client can forge a second one.
package maillog

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// DevLog is where syslogd or journald listens.
const DevLog = "/dev/log"

// Patience is how long a line waits for room in a full socket: time enough for a syslogd that is
// busy, and too short for a client to feel.
const Patience = 10 * time.Millisecond

// PipePatience is how long it waits on stderr, mostly a pipe, which holds some 400 lines. When 500
// processes write one each, whoever reads must get a processor among all these first: 100 lines and
// more were lost within Patience, on a busy machine.
const PipePatience = time.Second

// MaxFrame is the length in bytes of the longest line, counted with all that precedes the text (RFC
// 3164 §4.1).
const MaxFrame = 1024

const (
	tag  = "sendwrap"
	mail = 2 << 3 // the facility (RFC 3164 §4.1.1)
)

// Level is how serious a line is: a severity of syslog (RFC 3164 §4.1.1).
type Level uint8

const (
	Err     Level = 3 // a client was turned away through our own fault
	Warning Level = 4 // something is wrong, and mail flows on
	Info    Level = 6 // what became of a connection
)

// Log is where lines go; the zero Log drops them. It holds nothing open: each line has a socket of
// its own, as a connection leaves just one, and a descriptor that is not there while a client waits
// costs nothing. Only the Log of a [Queue] is another matter.
type Log struct {
	to    target
	path  string
	queue *Queue // where its lines go first, or nil
}

type target uint8

const (
	none target = iota
	syslog
	stderr
)

// None is a Log that drops everything.
func None() Log { return Log{} }

// Syslog is a Log on the local socket at path, [DevLog] but for tests, facility mail.
func Syslog(path string) Log { return Log{to: syslog, path: path} }

// Stderr is a Log on fd 2, without levels: for terminals, and for tcpserver with multilog. It must
// not be used while fd 2 is the client's.
func Stderr() Log { return Log{to: stderr} }

// Write writes text as one line at level, headed by `sendwrap[PID]: `. What is not printable ASCII
// is written as \xNN, and what exceeds [MaxFrame] is cut off, never within an escape.
//
// On error, an *os.SyscallError, the line is lost. errors.Is tells apart EAGAIN: no room in time;
// ENOENT and ECONNREFUSED: nobody listens; EMFILE: no descriptor is free, so free one and try
// again.
//
// The Log of a [Queue] never waits. There EAGAIN is the only error: the queue is full.
func (l Log) Write(level Level, text string) error {
	return l.WriteAs(unix.Getpid(), level, text)
}

// WriteAs is [Log.Write] with the id of another process in the line's head: a server of many
// clients writes what became of a client under the pid of the MTA that it started for it, so that
// one grep finds the lines of both.
func (l Log) WriteAs(pid int, level Level, text string) error {
	switch {
	case l.queue != nil:
		return l.queue.write(pid, level, text)
	case l.to == syslog:
		return send(l.path, appendFrame(make([]byte, 0, MaxFrame+1), syslog, pid, level, text))
	case l.to == stderr:
		return write(append(appendFrame(make([]byte, 0, MaxFrame+1), stderr, pid, level, text), '\n'), PipePatience)
	}
	return nil
}

// appendFrame appends the line as it goes to a target, [MaxFrame] bytes at most, less what ends it
// in a stream.
func appendFrame(frame []byte, to target, pid int, level Level, text string) []byte {
	if to == syslog {
		frame = appendPriority(frame, level)
	}
	return appendText(appendTag(frame, pid), text, MaxFrame)
}

// appendPriority appends what is needed before the tag in RFC 3164: no time and no host name. Every
// syslogd adds these to what comes through its local socket: rsyslog ignores a time there unless
// told otherwise, journald skips it, busybox and sysklogd put in their own where there is none. To
// add ours we would have to read /etc/localtime, for each client.
func appendPriority(frame []byte, level Level) []byte {
	frame = strconv.AppendUint(append(frame, '<'), mail|uint64(level), 10)
	return append(frame, '>')
}

func appendTag(frame []byte, pid int) []byte {
	frame = append(append(frame, tag...), '[')
	frame = strconv.AppendInt(frame, int64(pid), 10)
	return append(frame, "]: "...)
}

// send sends one frame to the socket at path: as a datagram if it takes these, as nearly all do,
// else as a stream, in which a NUL is the end of a frame.
func send(path string, frame []byte) error {
	err := sendAs(unix.SOCK_DGRAM, path, frame)
	if errors.Is(err, unix.EPROTOTYPE) {
		err = sendAs(unix.SOCK_STREAM, path, append(frame, 0))
	}
	return err
}

// sendAs sends one frame over a socket of its own.
func sendAs(kind int, path string, frame []byte) error {
	fd, err := connect(kind, path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return os.NewSyscallError("send", persist(fd, Patience, func() error {
		return unix.Send(fd, frame, unix.MSG_NOSIGNAL)
	}))
}

// connect returns a socket that leads to path. It may be non-blocking, since nobody shares it: to
// connect to a stream whose listener is swamped would block, however the frame is sent.
func connect(kind int, path string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// write writes one frame to fd 2. Not by os.Stderr: a reader who left would kill us with SIGPIPE. A
// pipe takes all of it or nothing, since it is shorter than PIPE_BUF.
func write(frame []byte, patience time.Duration) error {
	fd := ownStderr()
	if fd != 2 {
		defer unix.Close(fd)
	}
	return os.NewSyscallError("write", persist(fd, patience, func() error {
		// Where it is not ours alone and blocks, others who write at the very same moment could
		// make us wait.
		if fd == 2 && !isReady(fd) {
			return unix.EAGAIN
		}
		_, err := unix.Write(fd, frame)
		return err
	}))
}

// persist tries until there is room in fd, or a time is over. It tries once more then, however long
// we had no processor meanwhile: there may be room by now.
func persist(fd int, atMost time.Duration, try func() error) error {
	deadline := time.Now().Add(atMost)
	for last := false; ; {
		err := try()
		if err != unix.EAGAIN && err != unix.EINTR || last {
			return err
		}
		left := max(0, time.Until(deadline))
		last = left == 0
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int((left+time.Millisecond-1)/time.Millisecond))
	}
}
