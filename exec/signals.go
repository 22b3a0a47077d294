package exec

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

const (
	signals   = 64 // on every machine of Linux and Go except MIPS
	setBytes  = signals / 8
	slotBytes = 32 // at least a struct sigaction of the kernel: handler, flags, restorer, mask
	sigIgn    = 1  // SIG_IGN, in place of the address of a handler
)

// signalTable has a slot for the struct sigaction of each signal, which the kernel reads and
// writes.
//
// rt_sigaction(2) needs addresses. A mapping of our own has one that is a plain number, which the
// garbage collector ignores, and is filled with zeros: a slot of zeros is SIG_DFL. Slot 0 stays
// zero, since no signal has that number.
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

// setDefault gives signal n its default disposition and writes the previous one into its slot. For
// SIGKILL and SIGSTOP the kernel returns EINVAL: they always have the default.
func (t signalTable) setDefault(n uintptr) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, uintptr(t), uintptr(t)+n*slotBytes, setBytes, 0, 0)
}

// defaultSignals gives every signal its default disposition, and writes down the one before, for
// restore. A signal that is both blocked and ignored, by our parent's choice, is dropped if it is
// pending. The error is an *os.SyscallError, and then nothing has changed.
//
// execve(2) resets a handler to the default, but keeps a signal ignored. Go does not handle every
// signal: it leaves SIGHUP and SIGINT ignored if they were, and never changes SIGTSTP, SIGTTIN,
// SIGTTOU and SIGCONT, nor the real-time signals 32 and 34. os/signal could change the first six,
// at the cost of a thread, but not the last two. So we call the kernel, for all signals. Until
// execve, Go's own handlers are gone; in that instant nothing faults and nothing is written.
func defaultSignals() (before signalTable, err error) {
	if before, err = mapSignalTable(); err != nil {
		return 0, err
	}
	mask, err := emptyMask()
	if err != nil {
		before.unmap()
		return 0, err
	}
	for n := uintptr(1); n <= signals; n++ {
		before.setDefault(n)
	}
	restoreMask(mask)
	return before, nil
}

// restore undoes defaultSignals.
func (t signalTable) restore() {
	for n := uintptr(1); n <= signals; n++ {
		t.load(n)
	}
	t.unmap()
}

// emptyMask empties the signal mask of the calling thread and returns the previous one. Call it
// before dispositions change: a signal that is both blocked and ignored, by our parent's choice, is
// then dropped if it is pending. In the other order it would have its default effect, mostly to
// kill us.
func emptyMask() (before unix.Sigset_t, err error) {
	err = unix.PthreadSigmask(unix.SIG_SETMASK, new(unix.Sigset_t), &before)
	return before, os.NewSyscallError("rt_sigprocmask", err)
}

func restoreMask(mask unix.Sigset_t) {
	unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
}

// unignoreSignals gives every ignored signal its default disposition. A signal that Go handles, for
// os/signal or for itself, is not changed. A concurrent signal.Notify for an ignored signal could
// be undone. The error is an *os.SyscallError, and then nothing has changed.
func unignoreSignals() error {
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
		if binary.NativeEndian.Uint64(slots[n*slotBytes:]) == sigIgn { // the handler comes first
			table.setDefault(n)
		}
	}
	return nil
}

// read returns a copy of the table. Go cannot read from an address that is a number, except by
// package unsafe. So the kernel copies it, through a pipe, which can hold that much.
func (t signalTable) read() ([]byte, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	slots := make([]byte, (signals+1)*slotBytes)
	_, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(pipe[1]), uintptr(t), uintptr(len(slots)))
	if errno != 0 {
		return nil, os.NewSyscallError("write", errno)
	}
	if _, err := unix.Read(pipe[0], slots); err != nil {
		return nil, os.NewSyscallError("read", err)
	}
	return slots, nil
}
