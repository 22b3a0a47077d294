package ledger

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// build puts a ledger of the wanted size where there is none, a bad one, or one of another size or
// an older version. Only one process builds at a time: it holds the lock of the file PATH.new,
// fills it, and renames it into place. So no process ever maps half a ledger, and a process that is
// killed meanwhile leaves nothing but a PATH.new, which the next one uses.
func build(dir int, path string, geo geometry, boot Boot, clock func() Moment) (
	*Ledger, []string, error) {
	fd, err := lockNew(dir, path+".new")
	if err != nil {
		return nil, nil, err
	}
	empty := &Ledger{fd: fd, lockFD: fd, pid: uint32(unix.Getpid()), path: path, version: version,
		geo: geo, boot: boot}
	l, notes, err := replace(dir, empty, clock)
	if err != nil || l.fd != fd {
		_ = unix.Unlinkat(dir, filepath.Base(path)+".new", 0) // it may fill the disk
		empty.closeLock()
		unix.Close(fd)
		return l, nil, err
	}
	// The builder's lock is the new ledger's own. Until here it kept other processes out. If the
	// file has been truncated meanwhile, l is lost, as its next operation says.
	_ = l.release()
	return l, notes, nil
}

// replace fills the new ledger and puts it in place. If another process has done so while this one
// waited for the builder's lock, it returns that ledger.
func replace(dir int, l *Ledger, clock func() Moment) (*Ledger, []string, error) {
	name := filepath.Base(l.path)
	old, err := openFile(dir, l.path, l.boot)
	if err == nil && old.fits(l.geo) {
		return old, nil, nil
	}
	if err != nil && !replaceable(err) {
		return nil, nil, err
	}
	var notes []string
	if _, bad := err.(*badFile); bad {
		if !isOurs(dir) {
			return nil, nil, leftAlone(err)
		}
		notes = append(notes, err.Error()+"; set aside as "+l.path+".bad, and a new ledger made")
		if err := unix.Renameat(dir, name, dir, name+".bad"); err != nil {
			return nil, nil, &os.PathError{Op: "rename", Path: l.path, Err: err}
		}
	}
	if old != nil {
		defer old.Close()
	}
	if err := l.fill(groupReads(dir)); err != nil {
		return nil, nil, err
	}
	if old != nil {
		notes = append(notes, l.changesFrom(old)...)
		if err := l.takeOver(old, clock()); err != nil {
			_ = l.mem.unmap()
			return nil, nil, explained(l.path+": "+err.Error(), err)
		}
	}
	// From the rename on, the file may be truncated at any time: so nothing is written after it.
	l.undo.clearHolder()
	if l.header.beside != 0 {
		// Only now: who can open the builder's file can keep others from building.
		if err := unix.Fchmod(l.fd, 0o640); err != nil { // whatever the umask is
			_ = l.mem.unmap()
			return nil, nil, &os.PathError{Op: "chmod", Path: l.path + ".new", Err: err}
		}
	}
	if err := unix.Renameat(dir, name+".new", dir, name); err != nil {
		_ = l.mem.unmap()
		return nil, nil, &os.PathError{Op: "rename", Path: l.path + ".new", Err: err}
	}
	return l, notes, nil
}

// changesFrom says, for the log, how the ledger differs from the one that it replaces.
func (l *Ledger) changesFrom(old *Ledger) (notes []string) {
	if old.version != l.version {
		notes = append(notes, l.path+": carried over from version "+decimal(old.version))
	}
	if old.exposed {
		notes = append(notes, l.path+": made again, since a group could read it and so lock it")
	}
	if old.geo != l.geo {
		notes = append(notes, l.path+": rebuilt for clients="+strconv.Itoa(l.records()))
	}
	return notes
}

// lockNew opens and locks the builder's file. An earlier builder may have renamed or removed it
// meanwhile: then the lock is worth nothing and is taken again.
func lockNew(dir int, path string) (int, error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	for range 100 {
		name := filepath.Base(path)
		fd, err := unix.Openat(dir, name, flags, 0o600)
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		}
		holder := func() uint64 { return readBuilder(fd) }
		if err := lock(fd, holder, nil, crowdPatience, new(stall)); err != nil {
			unix.Close(fd)
			return -1, &os.PathError{Op: "lock", Path: path, Err: err}
		}
		var opened, named unix.Stat_t
		if unix.Fstat(fd, &opened) == nil &&
			unix.Fstatat(dir, name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil &&
			opened.Ino == named.Ino && opened.Dev == named.Dev {
			err := checkPrivate(path, &opened, fileaccess.Shared, cureOfMode)
			if err != nil {
				unix.Close(fd)
				return -1, err
			}
			writeBuilder(fd)
			return fd, nil
		}
		unix.Close(fd)
	}
	return -1, errors.New(path + ": other processes keep making and removing it")
}

// isOurs says whether no other user can even look into the directory, or only a group that may read
// the ledger. In any other directory, a file in the ledger's place is probably somebody else's,
// named by a wrong path.
func isOurs(dir int) bool {
	var st unix.Stat_t
	return unix.Fstat(dir, &st) == nil && st.Mode&0o077 == 0 || groupReads(dir)
}

// groupReads says whether the directory's group may read the ledger: mode 2750 says so, by which
// files in it have that group.
func groupReads(dir int) bool {
	var st unix.Stat_t
	const bits = unix.S_ISGID | 0o077
	return unix.Fstat(dir, &st) == nil && st.Mode&bits == unix.S_ISGID|0o050
}

// leftAlone says what to do about a bad file that is not set aside.
func leftAlone(bad error) error {
	return explained(bad.Error()+"; if it was the ledger, remove it, else name another place; "+
		"in a directory of its own, mode 0700, a bad ledger is set aside", bad)
}

// writeBuilder names the builder in its file, where a ledger names the holder of its lock, so that
// waiting processes see whether the builder goes on. If that fails they ask the kernel.
func writeBuilder(fd int) {
	var holder [8]byte
	binary.NativeEndian.PutUint64(holder[:], uint64(unix.Getpid()))
	_, _ = unix.Pwrite(fd, holder[:], holderAt)
}

// readBuilder is what writeBuilder wrote.
func readBuilder(fd int) uint64 {
	var holder [8]byte
	if n, err := unix.Pread(fd, holder[:], holderAt); err != nil || n < len(holder) {
		return 0
	}
	return binary.NativeEndian.Uint64(holder[:])
}

// fill makes the file behind l.fd an empty ledger, fully allocated.
func (l *Ledger) fill(groupReads bool) error {
	size := int64(l.geo.size())
	err := unix.Ftruncate(l.fd, 0)
	writeBuilder(l.fd)
	if err == nil {
		err = allocate(l.fd, size)
	}
	if err != nil {
		return &os.PathError{Op: "allocate", Path: l.path, Err: err}
	}
	if err := l.openLock(groupReads); err != nil {
		return err
	}
	if err := l.mapWhole(); err != nil {
		return err
	}
	h := header{version: version, record: recordSize, buckets: l.geo.buckets, slots: l.geo.slots}
	if groupReads {
		h.beside = 1
	}
	copy(h.magic[:], magic)
	if _, err := unix.Getrandom(bytesOf(&h.seed), 0); err != nil {
		return os.NewSyscallError("getrandom", err)
	}
	h.checksum = checksum(&h)
	*l.header = h
	l.header.bootSum = ^l.bootSum() // wrong, so that the first Do begins a boot
	return l.ring.fill()
}

// fill gives the ring of a new file its first number, which tells this ledger from any other.
func (r *ring) fill() error {
	var first uint64
	if _, err := unix.Getrandom(bytesOf(&first), 0); err != nil {
		return os.NewSyscallError("getrandom", err)
	}
	first = first>>1 | 1
	r.last.Store(first)
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

// writeZeros allocates the file on file systems without fallocate(2).
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

// takeOver copies everything that the old ledger remembers, and its live sessions, into the new
// one. No other process sees the new one yet. The old one is locked meanwhile; what its processes
// write there afterwards is lost.
func (l *Ledger) takeOver(old *Ledger, now Moment) error {
	return old.Do(now, func(from *Tx) {
		l.copyCounts(old)
		h, oldHeader := l.header, old.header
		h.seed = oldHeader.seed
		h.checksum = checksum(h)
		h.boot, h.offset, h.epoch = oldHeader.boot, oldHeader.offset, oldHeader.epoch
		h.bootSum = l.bootSum()
		*l.state = *old.state
		l.state.clients, l.state.waiting, l.state.serving = 0, 0, 0
		to := &Tx{l: l, now: from.now}
		for i := range old.records() {
			if c := old.recordOf(i); c.inUse() {
				to.copyRecord(c)
				to.checkpoint()
			} else if c.used == usedByWide && c.hasArrivals(from.now) {
				to.copyWide(c)
				to.checkpoint()
			}
		}
		if old.version > 1 {
			copy(bytesOf(l.ring), bytesOf(old.ring))
		} else {
			l.ring.counted = uint64(l.state.clients) // each of them may be blocked
		}
		if old.version >= withLookups {
			copy(l.mem[l.geo.listsAt():][:page], old.mem[old.geo.listsAt():][:page])
			to.copyLookups(from)
		}
		if old.version >= withSharing {
			copy(l.mem[l.geo.sharingAt():][:sharingSize], old.mem[old.geo.sharingAt():])
			const outbox = OutboxSize * outboxSize
			copy(l.mem[l.geo.outboxAt():][:outbox], old.mem[old.geo.outboxAt():])
		}
		living := livenessCache{own: old.pid, now: from.now, readsLeft: int(old.geo.slots)}
		for i := range old.liveSlots() {
			if s := old.slot(i); living.alive(s) || from.orphan(s) {
				to.copySession(old, i)
				to.checkpoint()
			}
		}
	})
}
