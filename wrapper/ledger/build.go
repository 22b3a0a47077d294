package ledger

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// build puts a ledger of the wanted size where there is none, a bad one, or one of another size or
// an older version. Only one process builds at a time: it holds the lock of the file PATH.new,
// fills it, and renames it into place, so that nobody ever maps half a ledger and a process killed
// meanwhile leaves nothing but a PATH.new for the next.
func build(dir int, path string, geo geometry, boot Boot, clock func() Moment) (*Ledger, []string, error) {
	fd, err := lockNew(dir, path+".new")
	if err != nil {
		return nil, nil, err
	}
	l, notes, err := replace(dir, path, &Ledger{fd: fd, path: path, version: version, geo: geo, boot: boot}, clock)
	if err != nil || l.fd != fd {
		_ = unix.Unlinkat(dir, filepath.Base(path)+".new", 0) // a full disk is not to stay full for our sake
		unix.Close(fd)
		return l, nil, err
	}
	// The builder's lock is the new ledger's own. Until here it kept others waiting.
	l.undo.ends()
	l.unlock()
	return l, notes, nil
}

// replace fills the new ledger and puts it at path, unless another process has done so while
// we waited for the builder's lock: then it returns that one's.
func replace(dir int, path string, l *Ledger, clock func() Moment) (*Ledger, []string, error) {
	name := filepath.Base(path)
	old, err := open(dir, path, l.boot)
	if err == nil && old.fits(l.geo) {
		return old, nil, nil
	}
	if err != nil && !repairable(err) {
		return nil, nil, err
	}
	var notes []string
	if _, bad := err.(*badFile); bad {
		if !ours(dir) {
			return nil, nil, strange(err)
		}
		notes = append(notes, fmt.Sprintf("%v; set aside as %s.bad and begun anew", err, path))
		if err := unix.Renameat(dir, name, dir, name+".bad"); err != nil {
			return nil, nil, &os.PathError{Op: "rename", Path: path, Err: err}
		}
	}
	if old != nil {
		defer old.Close()
	}
	if err := l.fill(path); err != nil {
		return nil, nil, err
	}
	if old != nil {
		notes = append(notes, l.differences(old)...)
		if err := l.takeOver(old, clock()); err != nil {
			_ = l.mem.unmap()
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := unix.Renameat(dir, name+".new", dir, name); err != nil {
		_ = l.mem.unmap()
		return nil, nil, &os.PathError{Op: "rename", Path: path + ".new", Err: err}
	}
	return l, notes, nil
}

// differences is what is to be said about the ledger that takes the other's place.
func (l *Ledger) differences(old *Ledger) (notes []string) {
	if old.version != l.version {
		notes = append(notes, fmt.Sprintf("%s: carried over from version %d", l.path, old.version))
	}
	if old.geo != l.geo {
		notes = append(notes, fmt.Sprintf("%s: rebuilt for clients=%d", l.path, l.records()))
	}
	return notes
}

// lockNew opens and locks the builder's file. The name may have been renamed away by
// a builder before us, or removed: then the lock is worth nothing and is taken again.
func lockNew(dir int, path string) (int, error) {
	for range 100 {
		name := filepath.Base(path)
		fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		}
		if err := lock(fd, func() uint64 { return builder(fd) }, nil, crowdPatience, new(standstill)); err != nil {
			unix.Close(fd)
			return -1, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		var here, there unix.Stat_t
		if unix.Fstat(fd, &here) == nil && unix.Fstatat(dir, name, &there, unix.AT_SYMLINK_NOFOLLOW) == nil &&
			here.Ino == there.Ino && here.Dev == there.Dev {
			if err := private(path, &here, 0o077, cureOfMode); err != nil {
				unix.Close(fd)
				return -1, err
			}
			sign(fd)
			return fd, nil
		}
		unix.Close(fd)
	}
	return -1, fmt.Errorf("%s: others make and remove it all the time", path)
}

// ours says whether nobody but us has any business in the directory. In another one, a file in the
// ledger's place is more likely a stranger's that a wrong path names.
func ours(dir int) bool {
	var st unix.Stat_t
	return unix.Fstat(dir, &st) == nil && st.Mode&0o077 == 0
}

// strange says of a bad file what to do where it is not set aside.
func strange(bad error) error {
	return fmt.Errorf("%w; if it was the ledger, remove it, else name another place; "+
		"in a directory of its own, mode 0700, a bad ledger is set aside", bad)
}

// sign writes into the file that is being built whose turn it is, where a ledger has it too: those
// who wait see whether the builder goes on. Where it cannot be written, the kernel is asked.
func sign(fd int) {
	var turn [8]byte
	binary.NativeEndian.PutUint64(turn[:], uint64(unix.Getpid()))
	_, _ = unix.Pwrite(fd, turn[:], turnAt)
}

// builder is the turn that sign wrote.
func builder(fd int) uint64 {
	var turn [8]byte
	if n, err := unix.Pread(fd, turn[:], turnAt); err != nil || n < len(turn) {
		return 0
	}
	return binary.NativeEndian.Uint64(turn[:])
}

// fill makes the file behind l.fd an empty ledger, every block of it allocated.
func (l *Ledger) fill(path string) error {
	size := int64(l.geo.size())
	err := unix.Ftruncate(l.fd, 0)
	sign(l.fd)
	if err == nil {
		err = allocate(l.fd, size)
	}
	if err != nil {
		return &os.PathError{Op: "allocate", Path: path, Err: err}
	}
	if err := l.mapOpened(path); err != nil {
		return err
	}
	h := header{version: version, record: recordSize, buckets: l.geo.buckets, slots: l.geo.slots}
	copy(h.magic[:], magic)
	if _, err := unix.Getrandom(bytesOf(&h.seed), 0); err != nil {
		return os.NewSyscallError("getrandom", err)
	}
	h.checksum = checksum(&h)
	*l.header = h // its bootSum does not fit yet, so the first Do begins a boot
	l.header.bootSum = ^l.bootSum()
	return l.ring.fill()
}

// fill gives the ring of a new file its first number: one by which Begun tells this ledger from any
// other.
func (r *ring) fill() error {
	var first uint64
	if _, err := unix.Getrandom(bytesOf(&first), 0); err != nil {
		return os.NewSyscallError("getrandom", err)
	}
	first = first>>1 | 1
	r.begun.Store(first)
	r.countedAt = first
	return nil
}

// allocate gives the file its size, every block of it.
func allocate(fd int, size int64) error {
	for {
		switch err := unix.Fallocate(fd, 0, 0, size); err {
		case unix.EINTR: // older kernels' tmpfs gives up at any signal
		case unix.EOPNOTSUPP:
			return writeZeros(fd, size)
		default:
			return err
		}
	}
}

// writeZeros allocates on file systems that cannot do it otherwise.
func writeZeros(fd int, size int64) error {
	zeros := make([]byte, 256*page)
	for at := int64(0); at < size; {
		n, err := unix.Pwrite(fd, zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

// takeOver copies what the old ledger remembers of clients, and its living sessions,
// into the new one. Nobody else sees the new one yet; the old one is locked meanwhile,
// and what its processes still write there afterwards is lost.
func (l *Ledger) takeOver(old *Ledger, now Moment) error {
	return old.Do(now, func(from *Tx) {
		*l.totals = *old.totals
		l.header.seed = old.header.seed
		l.header.checksum = checksum(l.header)
		l.header.boot, l.header.offset, l.header.epoch = old.header.boot, old.header.offset, old.header.epoch
		l.header.bootSum = l.bootSum()
		*l.state = *old.state
		l.state.clients, l.state.waiting, l.state.serving = 0, 0, 0
		to := &Tx{l: l, now: from.now}
		for i := range old.records() {
			if c := old.recordOf(i); c.inUse() {
				to.adopt(c)
				to.begin()
			}
		}
		l.apart.take(old.apart)
		if old.version > 1 {
			copy(bytesOf(l.ring), bytesOf(old.ring))
		} else {
			l.ring.counted = uint64(l.state.clients) // all of them, for what we know
		}
		living := census{now: from.now, reads: int(old.geo.slots)}
		for i := range old.liveSlots() {
			if s := old.slot(i); living.alive(s) || from.orphan(s) {
				to.adoptSession(old, i)
				to.begin()
			}
		}
	})
}
