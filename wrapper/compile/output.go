package compile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// output is the file PATH.new, which becomes the policy. It is locked: whoever has it is the only
// one that writes.
type output struct {
	dir  int
	path string // of the policy
	name string // of PATH.new in its directory
	file *os.File
}

// retryAfter is how long nobody has to make a policy after that has failed: where there are many
// networks, it costs seconds of CPU. Until then, the time of PATH.new is in the future. A process
// that is killed while it makes one leaves no such time: one that becomes the MTA ends like that.
const retryAfter = time.Minute

// create locks an empty file beside path. The error is [ErrBusy] if another process has it, or with
// renew [errTooSoon].
func create(path string, renew bool) (*output, error) {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	o := &output{dir: dir, path: path, name: filepath.Base(path) + ".new"}
	if err := o.lock(renew); err != nil {
		unix.Close(dir)
		return nil, err
	}
	return o, nil
}

// lock opens and locks the file. If a writer has renamed or removed what was opened, before the
// lock was got, that was the policy itself, or nothing any more.
func (o *output) lock(renew bool) error {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(o.dir, o.name, flags, 0o600)
	switch err {
	case nil:
	case unix.ELOOP, unix.EISDIR, unix.ENXIO: // a link, a directory, a socket
		return o.noFile()
	default:
		return &os.PathError{Op: "open", Path: o.path + ".new", Err: err}
	}
	o.file = os.NewFile(uintptr(fd), o.path+".new")
	var opened, named unix.Stat_t
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == unix.EWOULDBLOCK:
		err = o.busy()
	case err != nil:
		err = &os.PathError{Op: "lock", Path: o.path + ".new", Err: err}
	case unix.Fstat(fd, &opened) != nil ||
		unix.Fstatat(o.dir, o.name, &named, unix.AT_SYMLINK_NOFOLLOW) != nil ||
		opened.Ino != named.Ino || opened.Dev != named.Dev:
		err = ErrBusy
	case opened.Mode&unix.S_IFMT != unix.S_IFREG:
		err = o.noFile()
	default:
		if fault := fileaccess.Check(o.path+".new", &opened, fileaccess.Accessible,
			"remove it"); fault != nil {
			err = fault
			break
		}
		wait := time.Until(time.Unix(opened.Mtim.Unix()))
		if renew && 0 < wait && wait <= retryAfter {
			err = errTooSoon
			break
		}
		err = o.file.Truncate(0) // a writer that was killed has left something
	}
	if err != nil {
		o.file.Close()
	}
	return err
}

// noFile is the error if PATH.new is something else than a file.
func (o *output) noFile() error {
	return fmt.Errorf("%s.new: is no regular file; remove it", o.path)
}

// hung is how long nothing of a policy need be written while it is made: a million networks take
// some seconds.
const hung = 5 * time.Minute

// busy is the error if another process has the lock. It has emptied the file then, and writes it at
// the end.
func (o *output) busy() error {
	if info, err := o.file.Stat(); err == nil && time.Since(info.ModTime()) > hung {
		return fmt.Errorf("%s.new: another process has written nothing there since %s; "+
			"see whether it hangs, and kill it (fuser names it)",
			o.path, info.ModTime().Format(time.DateTime))
	}
	return ErrBusy
}

// putInPlace makes the file the policy. After a crash of the machine there is the old policy or
// this one.
func (o *output) putInPlace() error {
	if err := o.file.Sync(); err != nil {
		return err
	}
	if err := unix.Renameat(o.dir, o.name, o.dir, filepath.Base(o.path)); err != nil {
		return &os.PathError{Op: "rename", Path: o.file.Name(), Err: err}
	}
	o.name = ""
	if err := unix.Fsync(o.dir); err != nil && err != unix.EINVAL { // some file systems have none
		return &os.PathError{Op: "sync", Path: filepath.Dir(o.path), Err: err}
	}
	return nil
}

// discard ends the lock, and removes the file unless it was put in place. With putOff it leaves an
// empty one, by which others know for a while that it has failed.
func (o *output) discard(putOff bool) error {
	var err error
	switch {
	case o.name == "":
	case putOff:
		at := unix.NsecToTimeval(time.Now().Add(retryAfter).UnixNano())
		err = errors.Join(o.file.Truncate(0), os.NewSyscallError("futimes",
			unix.Futimes(int(o.file.Fd()), []unix.Timeval{at, at})))
	default:
		err = unix.Unlinkat(o.dir, o.name, 0) // while it is locked: later it may be another's
	}
	unix.Close(o.dir)
	return errors.Join(err, o.file.Close())
}

// openDir opens the directory of a policy, or makes it. It refuses one in which others could
// replace the policy.
func openDir(name string) (fd int, err error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err = unix.Open(name, flags, 0)
	if err == unix.ENOENT {
		if err = unix.Mkdir(name, 0o700); err == nil || err == unix.EEXIST {
			fd, err = unix.Open(name, flags, 0)
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err != nil {
		err = &os.PathError{Op: "stat", Path: name, Err: err}
	} else if fault := fileaccess.Check(name, &st, fileaccess.Writable,
		"make it mode 0700"); fault != nil {
		err = fault
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
