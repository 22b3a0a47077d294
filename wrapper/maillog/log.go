// Package maillog writes one line for each connection into the mail log, and a few lines about
// trouble of our own.
//
// Mail comes first, so logging hardly waits. A process with one client opens a socket for each line
// and waits for room in it for [Patience] at most, or on stderr for [PipePatience]. A process with
// many clients has a [Queue], and never waits. If there is no room in time, the line is lost. A
// line is always one line of printable ASCII, so that no client can forge another one.
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

// Patience is how long a line waits for room in a full socket: long enough for a busy syslogd, and
// too short for a client to notice.
const Patience = 10 * time.Millisecond

// PipePatience is how long a line waits for room on stderr. That is mostly a pipe, which holds
// about 400 lines. When 500 processes write a line each, the reader competes with all of them for a
// processor: with Patience more than 100 lines were lost on a busy machine.
const PipePatience = time.Second

// MaxFrame is the length in bytes of the longest line, including everything before the text (RFC
// 3164 §4.1).
const MaxFrame = 1024

const (
	tag  = "sendwrap"
	mail = 2 << 3 // the facility (RFC 3164 §4.1.1)
)

// Level is how serious a line is: a severity of syslog (RFC 3164 §4.1.1).
type Level uint8

const (
	Err     Level = 3 // a client was refused because of a fault of our own
	Warning Level = 4 // something is wrong, but mail still flows
	Info    Level = 6 // the verdict on a connection
)

// Log is where lines go; the zero Log drops them. It holds nothing open: each line opens a socket
// of its own, because a connection writes just one line, and a waiting client then costs no
// descriptor. The Log of a [Queue] uses the queue's socket instead.
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

// Syslog is a Log on the local socket at path, which is [DevLog] except in tests, with facility
// mail.
func Syslog(path string) Log { return Log{to: syslog, path: path} }

// Stderr is a Log on fd 2, without levels, for terminals and for tcpserver with multilog. It must
// not be used while fd 2 is the client's socket.
func Stderr() Log { return Log{to: stderr} }

// Write writes `sendwrap[PID]: ` and text as one line. Bytes that are not printable ASCII become
// \xNN. A line longer than [MaxFrame] is cut, but never within an escape.
//
// On error, an *os.SyscallError, the line is lost. It wraps EAGAIN if there was no room in time,
// ENOENT or ECONNREFUSED if no syslogd listens, and EMFILE if no descriptor is free: then close one
// and try again. The Log of a [Queue] never waits; its only error is EAGAIN, when the queue is
// full.
func (l Log) Write(level Level, text string) error {
	return l.WriteAs(unix.Getpid(), level, text)
}

// WriteAs is [Log.Write] with the pid of another process. A room logs a client's verdict with the
// pid of the client's MTA, so that one grep finds the lines of both.
func (l Log) WriteAs(pid int, level Level, text string) error {
	switch {
	case l.queue != nil:
		return l.queue.write(pid, level, text)
	case l.to == syslog:
		return send(l.path, appendFrame(make([]byte, 0, MaxFrame+1), syslog, pid, level, text))
	case l.to == stderr:
		frame := appendFrame(make([]byte, 0, MaxFrame+1), stderr, pid, level, text)
		return write(append(frame, '\n'), PipePatience)
	}
	return nil
}

// appendFrame appends the line as it goes to a target: [MaxFrame] bytes at most, without the byte
// that ends it in a stream.
func appendFrame(frame []byte, to target, pid int, level Level, text string) []byte {
	if to == syslog {
		frame = appendPriority(frame, level)
	}
	return appendText(appendTag(frame, pid), text, MaxFrame)
}

// appendPriority appends what RFC 3164 wants before the tag, but no time and no host name. Every
// syslogd adds these to lines from its local socket: rsyslog ignores a time there by default,
// journald skips it, busybox and sysklogd add their own if there is none. To write one we would
// have to read /etc/localtime for each client.
func appendPriority(frame []byte, level Level) []byte {
	frame = strconv.AppendUint(append(frame, '<'), mail|uint64(level), 10)
	return append(frame, '>')
}

func appendTag(frame []byte, pid int) []byte {
	frame = append(append(frame, tag...), '[')
	frame = strconv.AppendInt(frame, int64(pid), 10)
	return append(frame, "]: "...)
}

// send sends one frame to the socket at path: as a datagram, which nearly all syslogds take, or on
// a stream, where a NUL ends the frame.
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

// connect returns a socket that is connected to path. It is non-blocking, because connect(2) would
// block on a stream whose listener is overloaded. No other process shares it.
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

// write writes one frame to fd 2. It does not use os.Stderr, because a reader that has left would
// kill us by SIGPIPE. A pipe takes all of the frame or nothing, since it is shorter than PIPE_BUF.
func write(frame []byte, patience time.Duration) error {
	fd := ownStderr()
	if fd != 2 {
		defer unix.Close(fd)
	}
	return os.NewSyscallError("write", persist(fd, patience, func() error {
		// Fd 2 is shared and may block: another process that writes at the same moment could make
		// us wait.
		if fd == 2 && !isReady(fd) {
			return unix.EAGAIN
		}
		_, err := unix.Write(fd, frame)
		return err
	}))
}

// persist tries until there is room in fd, or atMost is over. Then it tries once more: there may be
// room by now if we had no processor for a while.
func persist(fd int, atMost time.Duration, try func() error) error {
	deadline := time.Now().Add(atMost)
	for last := false; ; {
		err := try()
		if err != unix.EAGAIN && err != unix.EINTR || last {
			return err
		}
		left := max(0, time.Until(deadline))
		last = left == 0
		ms := int((left + time.Millisecond - 1) / time.Millisecond)
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, ms)
	}
}
