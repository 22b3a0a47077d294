package ledger

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// openUsual maps the ledger at path if there is nothing to say about it: it has this version and
// geometry, and nobody else may write to it or its directory. That takes four system calls, where
// a process for each client would need seven to find out all that may be wrong. It returns nil in
// any other case, and Open finds out.
//
// The directory is looked at by its name, before the file is opened. Whoever could put another
// directory in its place meanwhile may write to the one above it, and that is not checked at all;
// the file is checked after it was opened.
func openUsual(path string, geo geometry, boot Boot) *Ledger {
	var dir unix.Stat_t
	name := filepath.Dir(path)
	if unix.Stat(name, &dir) != nil ||
		fileaccess.Check(name, &dir, fileaccess.Writable, "") != nil {
		return nil
	}
	fd, err := unix.Open(path, openFlags, 0)
	if err != nil {
		return nil
	}
	l := &Ledger{fd: fd, lockFD: fd, pid: uint32(unix.Getpid()), path: path, version: version,
		geo: geo, boot: boot}
	if l.mapUsual() {
		return l
	}
	unix.Close(fd)
	return nil
}

// mapUsual maps the file behind l.fd. It reports false, and leaves nothing mapped, if the file is
// not the ledger that it is said to be.
func (l *Ledger) mapUsual() (fits bool) {
	var st unix.Stat_t
	if unix.Fstat(l.fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG ||
		fileaccess.Check(l.path, &st, fileaccess.Shared, "") != nil ||
		st.Size != int64(l.geo.size()) || l.mapWhole() != nil {
		return false
	}
	var beside bool
	l.withoutLock(func() {
		h := l.header
		beside = h.beside != 0
		fits = string(h.magic[:]) == magic && h.version == version && h.record == recordSize &&
			geometry{h.buckets, h.slots} == l.geo && h.checksum == checksum(h)
	})
	fits = fits && (beside || st.Mode&groupMayRead == 0) && l.openLock(beside) == nil
	if !fits {
		_ = l.mem.unmap()
	}
	return fits
}
