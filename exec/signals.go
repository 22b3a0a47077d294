package exec

import (
	"encoding/binary"
	"math/bits"
	"os"

	"golang.org/x/sys/unix"
)

const (
	signals   = 64 // 1 to 64, on every machine that Linux and Go share but MIPS
	setBytes  = signals / 8
	slotBytes = 32 // no less than the kernel's struct sigaction: handler, flags, restorer, mask
	sigIgn    = 1  // SIG_IGN, where the address of a handler would be
)

// signalTable is where the kernel writes and reads the struct sigaction of each signal: that of
// signal n in slot n.
//
// rt_sigaction(2) wants addresses. Memory of our own mapping has one that is a plain number, which
// no garbage collector moves, and it is born as zeros: a slot of zeros is the struct sigaction of
// SIG_DFL, and slot 0 stays so, since no signal has that number.
type signalTable uintptr

func mapSignalTable() (signalTable, error) {
	table, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, (signals+1)*slotBytes,
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("mmap", errno)
	}
	return signalTable(table), nil
}

func (t signalTable) unmap() {
	unix.Syscall(unix.SYS_MUNMAP, uintptr(t), (signals+1)*slotBytes, 0)
}

// store writes the disposition of signal n into its slot.
func (t signalTable) store(n uintptr) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, 0, uintptr(t)+n*slotBytes, setBytes, 0, 0)
}

// load gives signal n the disposition in its slot.
func (t signalTable) load(n uintptr) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, uintptr(t)+n*slotBytes, 0, setBytes, 0, 0)
}

// setDefault gives signal n its default disposition and writes the one it had into its slot.
// SIGKILL and SIGSTOP answer EINVAL: they cannot have another.
func (t signalTable) setDefault(n uintptr) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, uintptr(t), uintptr(t)+n*slotBytes, setBytes, 0, 0)
}

// signalState is how signals were treated before defaultSignals.
type signalState struct {
	table signalTable
	mask  unix.Sigset_t
}

// defaultSignals gives every signal its default disposition and the calling thread an empty mask.
// The thread must be locked until execve or restore. The error is an *os.SyscallError, and then
// nothing has changed.
//
// execve(2) itself turns a handler into the default, but hands on what is ignored. Go does not
// handle every signal: it leaves SIGHUP and SIGINT ignored if it finds them so, and never touches
// SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, nor the real-time signals 32 and 34. os/signal could take
// over the first six, at the price of a thread, but not the last two. So the kernel is told, for
// all signals, without asking what Go has done. Go's own handlers are gone from then on, which is
// well for the instant before execve, in which nothing faults and nothing is written.
func defaultSignals() (*signalState, error) {
	table, err := mapSignalTable()
	if err != nil {
		return nil, err
	}
	s := &signalState{table: table}
	if s.mask, err = emptyMask(); err != nil {
		table.unmap()
		return nil, err
	}
	for n := uintptr(1); n <= signals; n++ {
		table.setDefault(n)
	}
	return s, nil
}

// restore treats signals as before defaultSignals.
func (s *signalState) restore() {
	for n := uintptr(1); n <= signals; n++ {
		s.table.load(n)
	}
	restoreMask(s.mask)
	s.table.unmap()
}

// emptyMask lets every signal through to the calling thread and returns the mask that it had. It
// comes before dispositions change: what was sent to us while our parent ignored and blocked it is
// dropped now, as it would have been then. The other way round it would meet the default, which is
// mostly to kill.
func emptyMask() (before unix.Sigset_t, err error) {
	err = unix.PthreadSigmask(unix.SIG_SETMASK, new(unix.Sigset_t), &before)
	return before, os.NewSyscallError("rt_sigprocmask", err)
}

func restoreMask(mask unix.Sigset_t) {
	unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
}

// hearIgnored gives its default disposition to every signal that is ignored, and touches no other:
// a signal that Go handles, for os/signal or for itself, is handled as before. A signal.Notify at
// the very same time for a signal that is still ignored could be undone. The error is an
// *os.SyscallError, and then nothing has changed.
func hearIgnored() error {
	table, err := mapSignalTable()
	if err != nil {
		return err
	}
	defer table.unmap()
	for n := uintptr(1); n <= signals; n++ {
		table.store(n)
	}
	slots, err := table.read()
	if err != nil {
		return err
	}
	for n := uintptr(1); n <= signals; n++ {
		if handler(slots[n*slotBytes:]) == sigIgn {
			table.setDefault(n)
		}
	}
	return nil
}

// read returns a copy of the table. A pipe makes it: Go has no way to look at an address that is a
// number, short of package unsafe, but the kernel has, and a pipe takes this much at once.
func (t signalTable) read() ([]byte, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	slots := make([]byte, (signals+1)*slotBytes)
	if _, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(pipe[1]), uintptr(t), uintptr(len(slots))); errno != 0 {
		return nil, os.NewSyscallError("write", errno)
	}
	if _, err := unix.Read(pipe[0], slots); err != nil {
		return nil, os.NewSyscallError("read", err)
	}
	return slots, nil
}

// handler is the first field of a struct sigaction.
func handler(slot []byte) uint64 {
	if bits.UintSize == 32 {
		return uint64(binary.NativeEndian.Uint32(slot))
	}
	return binary.NativeEndian.Uint64(slot)
}
