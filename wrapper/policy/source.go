package policy

import (
	"time"

	"golang.org/x/sys/unix"
)

// Settled is how long a file must not have changed before what was read from it may be kept. See
// the package's chapter on time.
const Settled = time.Second

// Source is a file that a policy was made from, or a name at which there was no such file.
type Source struct {
	Path string
	Stamp
}

// Stamp tells whether a file is still the same: it is, if its Stamp is. It is comparable.
type Stamp struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64      // ns since 1970
	Err          unix.Errno // why there is no file; 0 = there is one
}

// Look returns the stamp of what has this name now. It follows no symbolic link at the end of the
// path, as those who read a configuration do not.
func Look(path string) Stamp {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	for err == unix.EINTR {
		err = unix.Lstat(path, &st)
	}
	if errno, failed := err.(unix.Errno); failed {
		return Stamp{Err: errno}
	}
	return StampOf(&st)
}

// StampOf returns the stamp of an open file.
func StampOf(st *unix.Stat_t) Stamp {
	return Stamp{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano(), 0}
}

// IsSettled reports whether any later change will give the file another stamp, if this one was
// taken at or after now.
func (s Stamp) IsSettled(now time.Time) bool {
	age := now.UnixNano() - s.Ctime
	return s.Err != 0 || age >= int64(Settled) || age < -int64(Settled)
}

// holds reports whether the stamp still tells changes, by the clock, if it was taken at the time
// made. Once the clock reaches the ctime of a file from the future, a change can give it again.
func (s Stamp) holds(made, now int64) bool {
	return s.Err != 0 || s.Ctime <= made || now < s.Ctime-int64(Settled)
}
