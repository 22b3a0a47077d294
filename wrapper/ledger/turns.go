package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoTurn says that all turns were others' for as long as the caller would wait.
var ErrNoTurn = errors.New("no turn came free in time")

// turnsFrom is where in the file the bytes begin that stand for turns: far behind its end, as nobody reads or writes them.
const turnsFrom = 1 << 40

// longestTurnPause is how long a turn that has come free may lie idle while somebody waits for it.
const longestTurnPause = 50 * time.Millisecond

// Turn waits until the caller is one of the n that have a turn, among all goroutines of all processes that share the file, and
// at most for so long: then the error is [ErrNoTurn]. Whoever may not run more than n
// programs at a time asks for one before each and calls release when it has ended; release may be called more than
// once. The kernel gives back the turn of a process that ends without a word.
//
// A turn is a lock on a byte of the file (F_OFD_SETLK in fcntl(2)), had through a descriptor of its own. It has nothing to
// do with the lock that [Ledger.Do] takes. Unlike all else Turn may be called by many goroutines of one Ledger at a
// time, also while others use it. It needs the path to lead to the file, relative ones too; while the
// file is replaced by another, those who had their turn in the old one are not counted.
func (l *Ledger) Turn(n int, patience time.Duration) (release func(), err error) {
	fd, err := unix.Open(l.path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: l.path, Err: err}
	}
	if err := awaitTurn(fd, n, patience); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	return sync.OnceFunc(func() { unix.Close(fd) }), nil
}

// awaitTurn takes one of n turns through fd. There is no way to wait for whichever of them comes free first.
func awaitTurn(fd, n int, patience time.Duration) error {
	began := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, longestTurnPause) {
		if had, err := tryTurns(fd, n); had || err != nil {
			return err
		}
		left := patience - time.Since(began)
		if left <= 0 {
			return fmt.Errorf("%w: all %d were others' for %v", ErrNoTurn, n, patience)
		}
		time.Sleep(min(pause, left))
	}
}

// tryTurns takes the first turn that is free, from a random one on, lest all who wait ask for the same.
func tryTurns(fd, n int) (had bool, err error) {
	if n <= 0 {
		return false, nil
	}
	first := rand.IntN(n)
	for i := range n {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: turnsFrom + int64((first+i)%n), Len: 1}
		switch err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock); err {
		case nil:
			return true, nil
		case unix.EAGAIN, unix.EACCES, unix.EINTR: // another's
		default:
			return false, os.NewSyscallError("fcntl", err)
		}
	}
	return false, nil
}
