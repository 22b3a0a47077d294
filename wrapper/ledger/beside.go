package ledger

import (
	"os"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// Whoever may read a file can hold flock(2) on it, and fcntl(2)'s read locks. A ledger that a group
// may read is therefore locked by another file, PATH.lock, which only its owner can open: else a
// member of the group could keep every client from its limits.

// groupMayRead is the bit of a file's mode.
const groupMayRead = 0o040

// OpenLock opens the file PATH.lock of the ledger at path, and makes it if there is none. It
// refuses a file that others can open. The descriptor closes on exec.
func OpenLock(path string) (fd int, err error) {
	name := path + ".lock"
	fd, err = unix.Open(name, openFlags|unix.O_CREAT, 0o600)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err != nil {
		err = &os.PathError{Op: "stat", Path: name, Err: err}
	} else if st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = notRegular(name)
	} else {
		err = checkPrivate(name, &st, fileaccess.Accessible, "chmod 0600 it")
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openLock opens what the ledger is locked by, unless that is the ledger itself.
func (l *Ledger) openLock(beside bool) (err error) {
	if l.lockFD = l.fd; beside && !l.readOnly {
		l.lockFD, err = OpenLock(l.path)
	}
	return err
}

// closeLock closes what openLock has opened.
func (l *Ledger) closeLock() {
	if l.lockFD != l.fd && l.lockFD >= 0 {
		unix.Close(l.lockFD)
	}
}
