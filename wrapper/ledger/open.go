package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// Ledger is one process's view of the file. It is small; the file's pages are shared by all
// processes that map it. The methods of a nil Ledger behave as those of one that is lost.
type Ledger struct {
	// CrowdPatience limits how long Do waits while other processes get the lock; 0 = five seconds.
	// If it is shorter than [Patience], it replaces that too.
	CrowdPatience time.Duration

	fd        int
	lockFD    int    // fd, or that of PATH.lock
	pid       uint32 // of this process
	path      string
	version   uint32 // of the file; older ones are only copied from
	mem       mapping
	geo       geometry
	boot      Boot
	room      Process // us, if we hold many sessions
	lost      bool
	readOnly  bool // see OpenReadOnly
	exposed   bool // a group may read it, and so lock it
	forgotten int  // sessions, at a reboot that this process was the first to notice
	stall     stall
	undoUsed  int // bytes that the current operation has put into the undo log
	yielded   time.Time

	header   *header
	state    *state
	ring     *ring
	undo     *undo
	undoAt   int
	totals   *totals
	late     *late
	past     *past
	observed *observed
	unlocked *unlocked
	bitmap   []uint64
}

// Open maps the ledger at path, with room for the given number of client records ([MinClients] to
// [MaxClients]). If there is no file it makes one, mode 0600 and fully allocated: a hole on a full
// disk would be a SIGBUS later. In a directory of mode 2750 the directory's group may read it, mode
// 0640, and it is locked by another file, PATH.lock. A missing last directory is made too, mode
// 0700.
//
// If the file is not a ledger, and the directory is the ledger's own (mode 0700 or 2750), it is
// renamed to PATH.bad and a new file made. A ledger of an older version, or with another number of
// records, is replaced by a new one with the same contents. Open reports both in notes, for the
// log. It refuses a file or directory that others may write to, a symbolic link, and a ledger of a
// newer version, and leaves these alone.
//
// boot is [ThisBoot], or [LaterBoot] for a process that shall not read it in vain.
//
// After an error there is no ledger to work with: carry on without one.
func Open(path string, clients int, boot Boot) (l *Ledger, notes []string, err error) {
	return openBy(path, clients, boot, Now)
}

// openBy is Open with another clock, which is read if a file has to be replaced.
func openBy(path string, clients int, boot Boot, clock func() Moment) (
	l *Ledger, notes []string, err error) {
	if clients < MinClients || clients > MaxClients {
		return nil, nil, errors.New("ledger of " + strconv.Itoa(clients) + " clients; want " +
			strconv.Itoa(MinClients) + " to " + strconv.Itoa(MaxClients))
	}
	geo := geometryFor(clients)
	if l := openUsual(path, geo, boot); l != nil {
		return l, nil, nil
	}
	dir, err := makeDir(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(dir)
	l, err = openFile(dir, path, boot)
	if err == nil && l.fits(geo) {
		return l, nil, nil
	}
	if err != nil && !replaceable(err) {
		return nil, nil, err
	}
	if l != nil {
		_ = l.Close() // build opens it again under the builder's lock
	}
	return build(dir, path, geo, boot, clock)
}

// fits says whether the file can be used as it is where this geometry is wanted.
func (l *Ledger) fits(geo geometry) bool {
	return l.geo == geo && l.version == version && !l.exposed
}

// Close unmaps the file. The lock is not held between calls of Do, so a process may also exit
// without Close.
func (l *Ledger) Close() error {
	if l == nil || l.fd < 0 {
		return nil // the addresses of the mapping may be in use for something else by now
	}
	l.closeLock()
	err := l.mem.unmap()
	if cerr := unix.Close(l.fd); err == nil {
		err = cerr
	}
	l.fd, l.lost = -1, true
	return err
}

// Replaced says whether to open the ledger again: because the path no longer names the mapped file
// (somebody has removed it, changed its size, or put another in its place), or because the Ledger
// is lost. A relative path must still mean the same. It costs two calls of stat(2) and no lock.
func (l *Ledger) Replaced() bool {
	if l == nil || l.lost {
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
	return false // unknown, and opening it would fail too
}

// makeDir is openDir, but makes the directory if only the last one of the path is missing.
func makeDir(name string) (fd int, err error) {
	if fd, err = openDir(name); !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	if err := unix.Mkdir(name, 0o700); err != nil && err != unix.EEXIST {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return openDir(name)
}

// openDir opens the ledger's directory. It refuses one in which others could replace our file.
func openDir(name string) (fd int, err error) {
	fd, err = unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err != nil {
		err = &os.PathError{Op: "stat", Path: name, Err: err}
	} else {
		const cure = "put the ledger in a directory of its own, mode 0700"
		err = checkPrivate(name, &st, fileaccess.Writable, cure)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// cureOfMode does not simply say chmod: a wrong path may name somebody else's file.
const cureOfMode = "if it is the ledger, chmod 0600 it, else name another place"

// checkPrivate is [fileaccess.Check] as an error.
func checkPrivate(name string, st *unix.Stat_t, bits uint32, cure string) error {
	if fault := fileaccess.Check(name, st, bits, cure); fault != nil {
		return fault
	}
	return nil
}

// badFile says that a file exists, but is not a ledger that this program can use.
type badFile struct {
	path, why string
}

func (e *badFile) Error() string { return e.path + ": " + e.why }

// replaceable says whether a new file may take the place of what openFile found.
func replaceable(err error) bool {
	_, bad := err.(*badFile)
	return bad || errors.Is(err, os.ErrNotExist)
}

// openFlags open a ledger, and neither follow a symbolic link nor wait for a FIFO's reader.
const (
	readFlags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	openFlags = readFlags | unix.O_RDWR
)

// openFile maps the file as it is, whatever its size, and whether of this version or an older one.
func openFile(dir int, path string, boot Boot) (*Ledger, error) {
	return openFileAs(dir, path, boot, openFlags)
}

func openFileAs(dir int, path string, boot Boot, flags int) (*Ledger, error) {
	fd, err := unix.Openat(dir, filepath.Base(path), flags, 0)
	switch err {
	case nil:
	case unix.ELOOP, unix.EISDIR, unix.ENXIO: // a symbolic link, a directory, a socket
		return nil, notRegular(path)
	default:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	l := &Ledger{fd: fd, lockFD: fd, pid: uint32(unix.Getpid()), path: path, boot: boot,
		readOnly: flags == readFlags}
	if err := l.checkAndMap(); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return l, nil
}

func notRegular(path string) error {
	return errors.New(path + ": is not a regular file; name another place for the ledger")
}

// checkAndMap maps the file behind l.fd after all of its header has been checked.
func (l *Ledger) checkAndMap() error {
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: l.path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return notRegular(l.path)
	}
	if err := checkPrivate(l.path, &st, fileaccess.Shared, cureOfMode); err != nil {
		return err
	}
	var h header
	n, err := unix.Pread(l.fd, bytesOf(&h), 0)
	if err != nil {
		return &os.PathError{Op: "read", Path: l.path, Err: err}
	}
	l.geo, l.version = geometry{h.buckets, h.slots}, h.version
	bad := func(why string) error { return &badFile{l.path, why} }
	switch {
	case n < len(bytesOf(&h)) || string(h.magic[:]) != magic:
		return bad("is not a ledger")
	case h.version > version: // whatever else it says; the newer program may come back
		return errors.New(l.path + ": is a ledger of version " + decimal(h.version) +
			"; this program writes " + decimal(version) + "; install the newer sendwrap again, " +
			"or move the file away to start a new ledger")
	case h.version < oldest:
		return bad("is a ledger of version " + decimal(h.version) + "; this program reads " +
			decimal(oldest) + " to " + decimal(version))
	case h.record != recordSize:
		return bad("has records of " + decimal(uint32(h.record)) + " bytes; want " +
			decimal(recordSize))
	case h.checksum == damagedSum(&h):
		return bad("was damaged while it was in use")
	case h.checksum != checksum(&h) || !l.geo.sane():
		return bad("has a damaged header")
	case st.Size != int64(l.geo.sizeIn(l.version)):
		return bad("is " + strconv.FormatInt(st.Size, 10) + " bytes long; want " +
			strconv.Itoa(l.geo.sizeIn(l.version)))
	}
	l.exposed = st.Mode&groupMayRead != 0 && h.beside == 0
	if err := l.openLock(h.beside != 0); err != nil {
		return err
	}
	if err := l.mapWhole(); err != nil {
		l.closeLock()
		return err
	}
	return nil
}

// decimal is a number of the header in a message.
func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
