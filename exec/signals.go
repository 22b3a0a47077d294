package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	signals   = 64 // 1 to 64, on every machine that Linux and Go share but MIPS
	setBytes  = signals / 8
	slotBytes = 32 // no less than the kernel's struct sigaction: handler, flags, restorer, mask
)

// signalState is how signals were treated before defaultSignals.
type signalState struct {
	table uintptr // mapped memory: the struct sigaction of signal n in slot n
	mask  unix.Sigset_t
}

// defaultSignals gives every signal its default disposition and the calling thread an empty mask. The thread must be
// locked until execve or restore. The error is an *os.SyscallError, and then nothing has changed.
//
// execve(2) itself turns a handler into the default, but hands on what is ignored. Go does not handle every signal: it
// leaves SIGHUP and SIGINT ignored if it finds them so, and never touches SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, nor the
// real-time signals 32 and 34. os/signal could take over the first six, at the price of a thread, but not the last two. So
// the kernel is told, for all signals, without asking what Go has done. Go's own handlers are gone from then on, which
// is well for the instant before execve, in which nothing faults and nothing is written.
//
// rt_sigaction(2) wants addresses. Memory of our own mapping has one that is a plain number, which no garbage
// collector moves, and it is born as zeros: a slot of zeros is the struct sigaction of SIG_DFL, and slot 0 stays
// so, since no signal has that number. The kernel writes the old dispositions into the other slots and reads them
// from there if we need them again; we never look.
func defaultSignals() (*signalState, error) {
	table, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, (signals+1)*slotBytes,
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("mmap", errno)
	}
	s := &signalState{table: table}

	// The mask comes first: what was sent to us while our parent ignored and blocked it is dropped now, as it would have
	// been then. The other way round it would meet the default, which is mostly to kill.
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, new(unix.Sigset_t), &s.mask); err != nil {
		s.unmap()
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	for n := uintptr(1); n <= signals; n++ {
		// SIGKILL and SIGSTOP answer EINVAL: they cannot be anything but the default.
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, table, table+n*slotBytes, setBytes, 0, 0)
	}
	return s, nil
}

// restore treats signals as before defaultSignals.
func (s *signalState) restore() {
	for n := uintptr(1); n <= signals; n++ {
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, s.table+n*slotBytes, 0, setBytes, 0, 0)
	}
	unix.PthreadSigmask(unix.SIG_SETMASK, &s.mask, nil)
	s.unmap()
}

func (s *signalState) unmap() {
	unix.Syscall(unix.SYS_MUNMAP, s.table, (signals+1)*slotBytes, 0)
}
