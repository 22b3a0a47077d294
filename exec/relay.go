package exec

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RelayName is the name, argv[0], of a relay process. It reads the standard error of MTAs, as
// datagrams on fd 0, and writes it to syslog. A program with that name calls [Relay].
//
// If we become the MTA, no other process of ours is left to do this. The MTA must not write to
// syslogd itself: rsyslog takes a line without a header for an emergency of the kernel, and a
// header that an attacker supplies for a true one.
//
// Most MTAs never write to stderr, so the relay must be cheap. It has no configuration and no
// memory but these arrays, and runs without Go's runtime (entry.go): it takes 30 kB instead of 0.8
// MB, and starts four times as fast, faster than /bin/true (measured). So the code here makes
// system calls itself and is marked nosplit: no heap, no growing stack, no goroutine, no panic. If
// the program has another entry point, the same code runs within the runtime.
const RelayName = "mta_stderr"

// relayBegin is what the entry point calls in a process of that name.
var relayBegin = relayRun

// Relay relays until no process has the MTAs' stderr open any more.
func Relay() { relayBegin() }

const (
	relayMaxBytes = 1024       // of a line for syslogd (RFC 3164 §4.1), as in maillog
	relayPause    = 1_000_000  // ns after each line, which limits them to a thousand a second
	relaySlack    = 50_000     // ns, as Linux has it: the door's is longer than the pause
	relayWait     = 10_000_000 // ns until syslogd's socket is tried again
	relayMaxLines = 64         // of a datagram, so that the MTAs of a room take turns
)

var (
	relayIn      [8192]byte // of a datagram; the rest is lost
	relayControl [32]byte   // for the sender's ucred alone: the kernel discards passed descriptors
	relayBlock   = unix.Iovec{Base: &relayIn[0], Len: uint64(len(relayIn))}
	relayMessage = unix.Msghdr{Iov: &relayBlock, Iovlen: 1, Control: &relayControl[0]}

	relayOut [relayMaxBytes]byte
	relayLen int // of relayOut

	// A struct sockaddr_un, and a process name of 15 bytes.
	relayTo   = [...]byte{unix.AF_UNIX, 0, '/', 'd', 'e', 'v', '/', 'l', 'o', 'g', 0}
	relayComm = [...]byte{'s', 'e', 'n', 'd', 'w', 'r', 'a', 'p', '-', 's', 't', 'd', 'e', 'r', 'r',
		0}

	relayMask    uint64 // no signal is blocked
	relayTime    unix.Timespec
	relayStarter unix.Ucred // the MTA itself after Replace, else the room
	relaySize    uint32     = unix.SizeofUcred
	relaySession int        // of the starter
)

// relayRun forks and relays in the child. Its parent is then init, since the MTA expects no child.
//
//go:nosplit
//go:norace
func relayRun() {
	if pid, errno := kernel(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0); pid != 0 {
		kernel(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
	kernel(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&relayComm)), 0)
	kernel(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, relaySlack, 0)
	// The mask is that of the thread that forked; any signal must end the relay.
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&relayMask)), 0, setBytes, 0, 0)
	syscall.RawSyscall6(unix.SYS_GETSOCKOPT, 0, unix.SOL_SOCKET, unix.SO_PEERCRED,
		uintptr(unsafe.Pointer(&relayStarter)), uintptr(unsafe.Pointer(&relaySize)), 0)
	relaySession = relaySessionOf(int(relayStarter.Pid))
	for {
		n, pid := relayRead()
		for from, lines := 0, 0; from < n && lines < relayMaxLines; {
			to := from
			for to < n && relayIn[to] != '\n' {
				to++
			}
			if to > from {
				relayWriteLine(pid, from, to)
				lines++
			}
			from = to + 1
		}
	}
}

// relayRead reads one datagram, which a process has written at once. It ends the relay if no
// process can write any more.
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

// relayWriteLine writes a line about some bytes of relayIn.
//
//go:nosplit
//go:norace
func relayWriteLine(pid, from, to int) {
	relayLen = 0
	relayAppend("<22>sendwrap[") // facility mail, severity info
	relayAppendNumber(relayMTA(pid))
	relayAppend(`]: STDERR text="`)
	for ; from < to && relayLen < relayMaxBytes-len(`\x00"`); from++ {
		relayAppendByte(relayIn[from])
	}
	relayAppend(`"`)
	if relaySend() == unix.EAGAIN {
		relaySleep(relayWait)
		relaySend()
	}
	relaySleep(relayPause)
}

// relayMTA is the MTA to which a process belongs. An MTA that a room has started leads a session of
// its own; one that we have become is in our session. The session of a process that has ended is
// unknown: then the process itself is returned.
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

// relaySend sends the line. Without a syslogd it is lost.
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
func relayAppend(text string) {
	for i := 0; i < len(text); i++ {
		relayOut[relayLen] = text[i]
		relayLen++
	}
}

//go:nosplit
//go:norace
func relayAppendNumber(n int) {
	size := 1
	for n/size >= 10 {
		size *= 10
	}
	for ; size > 0; size /= 10 {
		relayOut[relayLen] = '0' + byte(n/size%10)
		relayLen++
	}
}

// relayAppendByte appends a byte of a quoted string, as Line.Quote of maillog does.
//
//go:nosplit
//go:norace
func relayAppendByte(c byte) {
	const hex = "0123456789abcdef"
	switch {
	case c == '\r':
		relayAppend(`\r`)
	case c == '\t':
		relayAppend(`\t`)
	case c < ' ' || c > '~':
		relayAppend(`\x`)
		relayOut[relayLen], relayOut[relayLen+1] = hex[c>>4], hex[c&15]
		relayLen += 2
	case c == '"' || c == '\\':
		relayAppend(`\`)
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

// kernel makes a system call, without the runtime.
//
//go:nosplit
//go:norace
func kernel(trap, a, b, c uintptr) (uintptr, syscall.Errno) {
	result, _, errno := syscall.RawSyscall6(trap, a, b, c, 0, 0, 0)
	return result, errno
}
