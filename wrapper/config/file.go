package config

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
	"sendwrap/wrapper/policy"
)

const (
	maxFile = 16 << 20 // bytes
	// bytes of one read; the buffer is on the stack, and a larger one would make that grow
	chunk = 512
)

// identity is the same for all names of a file.
type identity struct{ dev, ino uint64 }

// file is an open configuration file that may be read.
type file struct {
	fd    int
	path  string
	id    identity
	size  int64
	stamp policy.Stamp // when it was opened
}

// openFile opens a regular file that only root or our own user can have written. It follows no
// symbolic link, since the link's owner could point it elsewhere, and does not wait for the other
// end of a FIFO. The error is an *Error; the stamp is then that of what was not opened.
func openFile(path string) (file, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0)
	for err == unix.EINTR {
		fd, err = unix.Open(path, flags, 0)
	}
	if err != nil {
		return file{stamp: stampOfNone(path, err)}, cannotOpen(path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return file{}, inFile(path, newError("name another file", "%v", err))
	}
	stamp := policy.StampOf(&st)
	if err := unfit(&st); err != nil {
		unix.Close(fd)
		return file{stamp: stamp}, inFile(path, err)
	}
	return file{fd, path, identity{uint64(st.Dev), st.Ino}, st.Size, stamp}, nil
}

// stampOfNone is the stamp of what could not be opened. If that was not the file's fault, it is the
// error, which no file has for a stamp.
func stampOfNone(path string, err error) policy.Stamp {
	switch err {
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES, unix.ENXIO:
		return policy.Look(path)
	}
	errno, _ := err.(unix.Errno)
	return policy.Stamp{Err: errno}
}

func cannotOpen(path string, err error) error {
	switch err {
	case unix.ENOENT:
		if strings.ContainsAny(path, "*?[") {
			return inFile(path,
				newError("write one include for each file", "is a pattern, not a file"))
		}
		return inFile(path, newError("create it, or name another", "no such file"))
	case unix.ELOOP:
		return inFile(path, newError("name the file itself", "is a symbolic link"))
	case unix.EACCES:
		return inFile(path,
			newError(fmt.Sprintf("let uid %d read it", unix.Geteuid()), "permission denied"))
	case unix.ENXIO: // a socket
		return inFile(path, newError("name a text file", "is not a regular file"))
	}
	return inFile(path, newError("name another file", "%v", err))
}

// unfit says what keeps a file from being trusted or read, if anything.
func unfit(st *unix.Stat_t) *Error {
	fault := fileaccess.Check("", st, fileaccess.Writable, "chmod go-w")
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return newError("name a file in it", "is a directory")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return newError("name a text file", "is not a regular file")
	case fault != nil:
		return newError(fault.Cure, "%s", fault.What)
	case st.Size > maxFile:
		return newError(fmt.Sprintf("name a file of at most %d", maxFile), "is %d bytes long",
			st.Size)
	}
	return nil
}

func inFile(path string, e *Error) *Error {
	e.File = path
	return e
}

// read returns the whole text. It reads in small pieces: a buffer of the file's size would take as
// much memory again.
func (f file) read() (string, error) {
	var text strings.Builder
	text.Grow(int(f.size))
	var buffer [chunk]byte
	for {
		n, err := unix.Read(f.fd, buffer[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", inFile(f.path, newError("name another file", "%v", err))
		}
		if n > 0 && int64(text.Len()+n) <= f.size {
			text.Write(buffer[:n])
			continue
		}
		if n > 0 || int64(text.Len()) != f.size {
			return "",
				inFile(f.path,
					newError("put the new file in place with mv", "changed while it was read"))
		}
		return text.String(), nil
	}
}

// checkText refuses a file that is not text.
func checkText(path, text string) error {
	nul := strings.IndexByte(text, 0)
	if nul < 0 {
		return nil
	}
	e := newError("name a text file", "NUL byte")
	e.Line = 1 + strings.Count(text[:nul], "\n")
	return inFile(path, e)
}
