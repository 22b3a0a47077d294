package ledger

import (
	"reflect"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Semaphores of System V are a count of our sessions that the kernel keeps, independent of the
// ledger: what a process has taken with SEM_UNDO it gives back when it dies, before any other
// process can see that it is dead, and keeps through execve (semop(2)).
type semaphores int

const (
	semUndo = 0x1000
	semSet  = 16 // SETVAL
)

// newSemaphores makes a set with these values, until the test ends.
func newSemaphores(t *testing.T, values ...int) semaphores {
	t.Helper()
	id, _, errno := unix.Syscall(unix.SYS_SEMGET, unix.IPC_PRIVATE, uintptr(len(values)),
		0o600|unix.IPC_CREAT)
	if errno != 0 {
		t.Fatalf("semget: %v", errno)
	}
	t.Cleanup(func() { _, _, _ = unix.Syscall(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID) })
	for n, value := range values {
		if _, _, errno := unix.Syscall6(unix.SYS_SEMCTL, id, uintptr(n), semSet, uintptr(value), 0,
			0); errno != 0 {
			t.Fatalf("semctl: %v", errno)
		}
	}
	return semaphores(id)
}

// take takes one of semaphore n, and reports false if there is none left.
func (s semaphores) take(n int) bool { return s.change(n, -1) == 0 }

// give gives it back.
func (s semaphores) give(n int) { _ = s.change(n, 1) }

func (s semaphores) change(n int, by int16) unix.Errno {
	op := &struct {
		number uint16
		change int16
		flags  int16
	}{uint16(n), by, semUndo | unix.IPC_NOWAIT}
	_, _, errno := unix.Syscall(unix.SYS_SEMOP, uintptr(s), reflect.ValueOf(op).Pointer(), 1)
	runtime.KeepAlive(op)
	return errno
}
