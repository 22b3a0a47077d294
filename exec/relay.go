package exec

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RelayName is the name, argv[0], under which a process is the relay: what an MTA says on stderr it
// reads as datagrams on fd 0, and writes to syslog. A program that finds itself under that name
// calls [Relay].
//
// There is nobody else to do it where we become the MTA, and the MTA must not write to syslogd
// itself: what comes to /dev/log without a head rsyslog takes for a message of the kernel, an
// emergency, and with one of an attacker's for anybody's.
//
// As most MTAs never say a word, the relay is to cost next to nothing. It has no configuration, no
// memory but these arrays, and begins and ends before Go's runtime (entry.go): it has 30 kB, where
// that would have 0.8 MB, and starts four times as fast, sooner than /bin/true (measured). So
// everything here is in the kernel's calls and marked nosplit: no heap, no stack that grows, no
// goroutine, no panic. Without the entry point it runs within the runtime, and does the same.
const RelayName = "mta_stderr"

// relayBegin is where the entry point goes on under that name.
var relayBegin = relayAll

// Relay is the relay. It ends when nobody has its MTAs' stderr open any more.
func Relay() { relayBegin() }

const (
	relayLine  = 1024       // bytes of a line for syslogd (RFC 3164 section 4.1), as maillog's
	relayPause = 1_000_000  // ns after each line, so that there are at most a thousand a second
	relayRoom  = 10_000_000 // ns for which a line waits for room in syslogd's socket
	relayMost  = 64         // lines of a datagram, so that no MTA of a room keeps the others waiting
)

var (
	relayIn      [8192]byte // of a datagram; what exceeds it is lost
	relayControl [32]byte   // for the sender's ucred alone: descriptors that come along are discarded
	relayBlock   = unix.Iovec{Base: &relayIn[0], Len: uint64(len(relayIn))}
	relayMessage = unix.Msghdr{Iov: &relayBlock, Iovlen: 1, Control: &relayControl[0]}

	relayOut [relayLine]byte
	relayLen int // of relayOut

	// A struct sockaddr_un, and a name of 15 bytes.
	relayTo   = [...]byte{unix.AF_UNIX, 0, '/', 'd', 'e', 'v', '/', 'l', 'o', 'g', 0}
	relayComm = [...]byte{'s', 'e', 'n', 'd', 'w', 'r', 'a', 'p', '-', 's', 't', 'd', 'e', 'r', 'r', 0}

	relayTime    unix.Timespec
	relayStarter unix.Ucred // the MTA itself from Replace, else the room
	relaySize    uint32     = unix.SizeofUcred
	relaySession int        // of the starter
)

// relayAll has a child go on, so that the relay is no child of the MTA's, which knows of none.
//
//go:nosplit
//go:norace
func relayAll() {
	if pid, errno := kernel(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0); pid != 0 {
		kernel(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
	kernel(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&relayComm)), 0)
	syscall.RawSyscall6(unix.SYS_GETSOCKOPT, 0, unix.SOL_SOCKET, unix.SO_PEERCRED,
		uintptr(unsafe.Pointer(&relayStarter)), uintptr(unsafe.Pointer(&relaySize)), 0)
	relaySession = relaySessionOf(int(relayStarter.Pid))
	for {
		n, pid := relayRead()
		for from, lines := 0, 0; from < n && lines < relayMost; {
			to := from
			for to < n && relayIn[to] != '\n' {
				to++
			}
			if to > from {
				relaySay(pid, from, to)
				lines++
			}
			from = to + 1
		}
	}
}

// relayRead reads what a process has written at once, and ends the relay if none can write any
// more.
//
//go:nosplit
//go:norace
func relayRead() (n, pid int) {
	for {
		relayMessage.Controllen = uint64(len(relayControl))
		got, errno := kernel(unix.SYS_RECVMSG, 0, uintptr(unsafe.Pointer(&relayMessage)), 0)
		if errno == unix.EINTR {
			continue
		}
		// An empty datagram has a sender, too.
		if errno != 0 || got == 0 && relayMessage.Controllen == 0 {
			kernel(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		// A struct cmsghdr, then a struct ucred, which begins with the pid.
		for i := 3; i >= 0; i-- {
			pid = pid<<8 | int(relayControl[unix.SizeofCmsghdr+i])
		}
		return int(got), pid
	}
}

// relaySay sends a line about some bytes of relayIn.
//
//go:nosplit
//go:norace
func relaySay(pid, from, to int) {
	relayLen = 0
	relayText("<22>sendwrap[") // facility mail, severity info
	relayNumber(relayMTA(pid))
	relayText(`]: STDERR text="`)
	for ; from < to && relayLen < relayLine-len(`\x00"`); from++ {
		relayByte(relayIn[from])
	}
	relayText(`"`)
	if relaySend() == unix.EAGAIN {
		relaySleep(relayRoom)
		relaySend()
	}
	relaySleep(relayPause)
}

// relayMTA is the MTA that a process belongs to. One that the room has started leads a session of
// its own, and one that we have become is in ours. Of a process that has ended nobody knows: it
// stands for itself.
//
//go:nosplit
//go:norace
func relayMTA(pid int) int {
	switch session := relaySessionOf(pid); session {
	case 0:
		return pid
	case relaySession:
		return int(relayStarter.Pid)
	default:
		return session
	}
}

//go:nosplit
//go:norace
func relaySessionOf(pid int) int {
	session, errno := kernel(unix.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(session)
}

// relaySend sends the line. Where nobody listens it is lost.
//
//go:nosplit
//go:norace
func relaySend() syscall.Errno {
	_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO,
		1, uintptr(unsafe.Pointer(&relayOut)), uintptr(relayLen),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&relayTo)), uintptr(len(relayTo)))
	return errno
}

//go:nosplit
//go:norace
func relayText(text string) {
	for i := 0; i < len(text); i++ {
		relayOut[relayLen] = text[i]
		relayLen++
	}
}

//go:nosplit
//go:norace
func relayNumber(n int) {
	size := 1
	for n/size >= 10 {
		size *= 10
	}
	for ; size > 0; size /= 10 {
		relayOut[relayLen] = '0' + byte(n/size%10)
		relayLen++
	}
}

// relayByte appends a byte as it stands in a quoted string, as Line.Quote of maillog does.
//
//go:nosplit
//go:norace
func relayByte(c byte) {
	const hex = "0123456789abcdef"
	switch {
	case c == '\r':
		relayText(`\r`)
	case c == '\t':
		relayText(`\t`)
	case c < ' ' || c > '~':
		relayText(`\x`)
		relayOut[relayLen], relayOut[relayLen+1] = hex[c>>4], hex[c&15]
		relayLen += 2
	case c == '"' || c == '\\':
		relayText(`\`)
		fallthrough
	default:
		relayOut[relayLen] = c
		relayLen++
	}
}

//go:nosplit
//go:norace
func relaySleep(ns int64) {
	relayTime.Nsec = ns
	kernel(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&relayTime)), 0, 0)
}

// kernel makes a call of the kernel's, without the runtime.
//
//go:nosplit
//go:norace
func kernel(trap, a, b, c uintptr) (uintptr, syscall.Errno) {
	result, _, errno := syscall.RawSyscall6(trap, a, b, c, 0, 0, 0)
	return result, errno
}
