package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Ledger is one process's view of the file. It is small; the file's pages are shared
// by all who map it.
type Ledger struct {
	// CrowdPatience is how long Do waits at most while others get the lock; 0 = five seconds. A
	// room, which has others to look after meanwhile, sets it shorter. One shorter than [Patience]
	// stands for that too.
	CrowdPatience time.Duration

	fd        int
	path      string
	version   uint32 // of the file; older ones are only taken over
	mem       mapping
	geo       geometry
	boot      Boot
	lost      bool
	forgotten int // sessions, at a reboot that this process has noticed
	still     standstill
	saved     int // bytes that the work under way has put into the undo log

	header *header
	state  *state
	ring   *ring
	undo   *undo
	totals *totals
	apart  *apart
	bitmap []uint64
}

// Open maps the ledger at path, with room for the given number of client records
// ([MinClients] to [MaxClients]), and makes it where there is none: mode 0600, all of
// its disk space allocated, since a hole on a full disk would be a SIGBUS later. A missing
// last directory is made too, mode 0700.
//
// A file that is no ledger is renamed to PATH.bad and a new one made, if the directory is the
// ledger's own (mode 0700); one of an older version, or with another number of records, is replaced
// by one as wanted, which takes over what it held. Open says so in notes, for the log. It refuses a
// file or directory that others may write, a symbolic link, and a ledger of a newer version, which
// it leaves as it is.
//
// An error means that there is no ledger to work with: carry on without one.
func Open(path string, clients int, boot Boot) (l *Ledger, notes []string, err error) {
	return openBy(path, clients, boot, Now)
}

// openBy is Open by another clock, which is read if a file has to be taken over.
func openBy(path string, clients int, boot Boot, clock func() Moment) (l *Ledger, notes []string, err error) {
	if clients < MinClients || clients > MaxClients {
		return nil, nil, fmt.Errorf("ledger of %d clients; want %d to %d", clients, MinClients, MaxClients)
	}
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(dir)
	geo := geometryFor(clients)
	l, err = open(dir, path, boot)
	if err == nil && l.fits(geo) {
		return l, nil, nil
	}
	if err != nil && !repairable(err) {
		return nil, nil, err
	}
	if l != nil {
		_ = l.Close() // of another size or version: opened once more with the builder's lock held
	}
	return build(dir, path, geo, boot, clock)
}

// fits says whether the file can be used as it is where one of this geometry is wanted.
func (l *Ledger) fits(geo geometry) bool { return l.geo == geo && l.version == version }

// Close gives the mapping back. The lock is not held between calls of Do, so a
// process may as well end without it.
func (l *Ledger) Close() error {
	if l.fd < 0 {
		return nil // what was mapped there may be somebody else's memory by now
	}
	err := l.mem.unmap()
	if cerr := unix.Close(l.fd); err == nil {
		err = cerr
	}
	l.fd, l.lost = -1, true
	return err
}

// Replaced says whether the path no longer names the file that is mapped, because somebody has
// removed it, made one of another size, or put another in its place; or whether the Ledger is of no
// use for another reason. Then it is time to open it anew. A relative path must still mean the
// same. It costs two calls of stat(2) and needs no lock.
func (l *Ledger) Replaced() bool {
	if l.lost {
		return true
	}
	var mapped, named unix.Stat_t
	if unix.Fstat(l.fd, &mapped) != nil {
		return false
	}
	switch unix.Fstatat(unix.AT_FDCWD, l.path, &named, unix.AT_SYMLINK_NOFOLLOW) {
	case nil:
		return named.Ino != mapped.Ino || named.Dev != mapped.Dev
	case unix.ENOENT, unix.ENOTDIR:
		return true
	}
	return false // it cannot be told, and opening it would fail too
}

// openDir opens the ledger's directory, which it makes if only the last step is
// missing, and refuses one in which others could put a file of theirs in our place.
func openDir(name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := unix.Open(name, flags, 0)
	if err == unix.ENOENT {
		if err = unix.Mkdir(name, 0o700); err == nil || err == unix.EEXIST {
			fd, err = unix.Open(name, flags, 0)
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if err := private(name, &st, 0o022, "put the ledger in a directory of its own, mode 0700"); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// cureOfMode does not simply say chmod: a wrong path may name a stranger's file.
const cureOfMode = "if it is the ledger, chmod 0600 it, else name another place"

// private refuses what belongs to somebody else, or whose mode has one of the bits.
func private(name string, st *unix.Stat_t, bits uint32, cure string) error {
	if st.Uid != 0 && int(st.Uid) != unix.Geteuid() {
		return fmt.Errorf("%s: belongs to uid %d; chown it to root", name, st.Uid)
	}
	if st.Mode&bits != 0 {
		return fmt.Errorf("%s: mode %#o lets others in; %s", name, st.Mode&0o7777, cure)
	}
	return nil
}

// badFile says that a file is there but is no ledger of ours.
type badFile struct {
	path, why string
}

func (e *badFile) Error() string { return e.path + ": " + e.why }

// repairable says whether a new file may take the place of what open met.
func repairable(err error) bool {
	if _, bad := err.(*badFile); bad {
		return true
	}
	return os.IsNotExist(err)
}

// open maps the file as it is, whatever its size, and whatever version before this one it has.
func open(dir int, path string, boot Boot) (*Ledger, error) {
	fd, err := unix.Openat(dir, filepath.Base(path), unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	l := &Ledger{fd: fd, path: path, boot: boot}
	if err := l.mapWhole(path); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return l, nil
}

func (l *Ledger) mapWhole(path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s: is not a regular file; name another place for the ledger", path)
	}
	if err := private(path, &st, 0o077, cureOfMode); err != nil {
		return err
	}
	var h header
	n, err := unix.Pread(l.fd, bytesOf(&h), 0)
	if err != nil {
		return &os.PathError{Op: "read", Path: path, Err: err}
	}
	l.geo, l.version = geometry{h.buckets, h.slots}, h.version
	switch {
	case n < len(bytesOf(&h)) || string(h.magic[:]) != magic:
		return &badFile{path, "is not a ledger"}
	case h.version > version: // whatever else it says; who made it may come back
		return fmt.Errorf("%s: is a ledger of version %d; this program writes %d; install the newer sendwrap again, or move the file away and begin anew",
			path, h.version, version)
	case h.version < oldest:
		return &badFile{path, fmt.Sprintf("is a ledger of version %d; this program reads %d to %d", h.version, oldest, version)}
	case h.record != recordSize:
		return &badFile{path, fmt.Sprintf("has records of %d bytes; want %d", h.record, recordSize)}
	case h.checksum == condemned(&h):
		return &badFile{path, "was damaged while it was in use"}
	case h.checksum != checksum(&h) || !l.geo.sane():
		return &badFile{path, "has a damaged header"}
	case st.Size != int64(l.geo.size()):
		return &badFile{path, fmt.Sprintf("is %d bytes long; want %d", st.Size, l.geo.size())}
	}
	return l.mapOpened(path)
}

// mapOpened maps the file behind l.fd, whose geometry is known to fit.
func (l *Ledger) mapOpened(path string) error {
	mem, err := mapFile(l.fd, l.geo.size())
	if err != nil {
		return &os.PathError{Op: "mmap", Path: path, Err: err}
	}
	l.mem = mem
	l.header = view[header](mem, 0)
	l.state = view[state](mem, stateAt)
	l.ring = view[ring](mem, ringAt)
	l.undo = view[undo](mem, undoAt)
	l.totals = view[totals](mem, totalsAt)
	l.apart = view[apart](mem, apartAt)
	l.bitmap = words(mem, bitmapAt, int(l.geo.slots)/wordBits)
	return nil
}

// condemned is what stands in the place of the checksum of a file that is to be set aside.
func condemned(h *header) uint64 { return ^checksum(h) }

func checksum(h *header) uint64 {
	fixed := bytesOf(h)[:len(h.magic)+4*4+len(h.seed)*8]
	return sipHash([2]uint64{}, fixed)
}
