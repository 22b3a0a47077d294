package enforce

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// errNoSlot means that no slot came free while the caller waited.
var errNoSlot = errors.New("no slot came free in time")

// slotsFrom is where in the file PATH.lock the bytes begin that stand for slots: far behind its
// end.
const slotsFrom = 1 << 40

// longestSlotPause is how long a free slot may be idle while a process waits for it.
const longestSlotPause = 50 * time.Millisecond

// takeSlot waits until one of the first n slots is free, and takes it. Whatever runs on_block takes
// a slot before and releases it afterwards, so that at most n run on the machine. After patience it
// returns [errNoSlot]. Releasing a slot twice does no harm, and the kernel releases those of a
// process that is killed.
//
// A slot is a lock on a byte of the file PATH.lock (F_OFD_SETLK, fcntl(2)) through a descriptor of
// its own, independent of the ledger's lock. It is not a byte of the ledger: who may read a file
// can lock its bytes, and a group may read the ledger.
func takeSlot(path string, n int, patience time.Duration) (release func(), err error) {
	fd, err := ledger.OpenLock(path)
	if err != nil {
		return nil, err
	}
	if err := awaitSlot(fd, n, patience); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return sync.OnceFunc(func() { unix.Close(fd) }), nil
}

// awaitSlot takes one of n slots through fd. It polls: the kernel cannot wait for several locks.
func awaitSlot(fd, n int, patience time.Duration) error {
	began := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, longestSlotPause) {
		if ok, err := trySlots(fd, n); ok || err != nil {
			return err
		}
		left := patience - time.Since(began)
		if left <= 0 {
			return errNoSlot
		}
		time.Sleep(min(pause, left))
	}
}

// trySlots takes the first free slot, from a random one on: otherwise all processes that wait would
// ask for the same.
func trySlots(fd, n int) (ok bool, err error) {
	if n <= 0 {
		return false, nil
	}
	first := rand.IntN(n)
	for i := range n {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: slotsFrom + int64((first+i)%n), Len: 1}
		switch err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock); err {
		case nil:
			return true, nil
		case unix.EAGAIN, unix.EACCES, unix.EINTR: // another has it
		default:
			return false, os.NewSyscallError("fcntl", err)
		}
	}
	return false, nil
}
