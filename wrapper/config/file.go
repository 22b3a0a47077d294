package config

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

const (
	maxFile = 16 << 20 // bytes
	chunk   = 512      // bytes read at once; on the stack, which a larger one would make grow
)

// identity tells a file from others, however it is named.
type identity struct{ dev, ino uint64 }

// file is an open configuration file that was found fit to be read.
type file struct {
	fd   int
	path string
	id   identity
	size int64
}

// openFile opens a regular file that only root or we can have written. It neither follows
// a symbolic link, which whoever made it could point elsewhere, nor waits for the other end of
// a FIFO. The error is an *Error.
func openFile(path string) (file, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0)
	for err == unix.EINTR {
		fd, err = unix.Open(path, flags, 0)
	}
	if err != nil {
		return file{}, cannotOpen(path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return file{}, inFile(path, wrong("name another file", "%v", err))
	}
	if err := unfit(&st); err != nil {
		unix.Close(fd)
		return file{}, inFile(path, err)
	}
	return file{fd, path, identity{uint64(st.Dev), st.Ino}, st.Size}, nil
}

func cannotOpen(path string, err error) error {
	switch err {
	case unix.ENOENT:
		if strings.ContainsAny(path, "*?[") {
			return inFile(path, wrong("write one include for each file", "is a pattern, and no file"))
		}
		return inFile(path, wrong("make it or name another", "no such file"))
	case unix.ELOOP:
		return inFile(path, wrong("name the file itself", "is a symbolic link"))
	case unix.EACCES:
		return inFile(path, wrong(fmt.Sprintf("let uid %d read it", unix.Geteuid()), "permission denied"))
	case unix.ENXIO: // a socket
		return inFile(path, wrong("name a text file", "is not a regular file"))
	}
	return inFile(path, wrong("name another file", "%v", err))
}

// unfit says what keeps a file from being trusted or read, if anything.
func unfit(st *unix.Stat_t) *Error {
	fault := fileaccess.Check("", st, fileaccess.Writable, "chmod go-w")
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return wrong("name a file in it", "is a directory")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return wrong("name a text file", "is not a regular file")
	case fault != nil:
		return wrong(fault.Cure, "%s", fault.What)
	case st.Size > maxFile:
		return wrong(fmt.Sprintf("name a file of at most %d", maxFile), "is %d bytes long", st.Size)
	}
	return nil
}

func inFile(path string, e *Error) *Error {
	e.File = path
	return e
}

// read is the whole text. It is built from small reads, since a buffer of its size would
// be as much memory again.
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
			return "", inFile(f.path, wrong("name another file", "%v", err))
		}
		if n > 0 && int64(text.Len()+n) <= f.size {
			text.Write(buffer[:n])
			continue
		}
		if n > 0 || int64(text.Len()) != f.size {
			return "", inFile(f.path, wrong("put a new file in place with mv", "changes while it is read"))
		}
		return f.checked(text.String())
	}
}

// checked refuses what is no text at all.
func (f file) checked(text string) (string, error) {
	nul := strings.IndexByte(text, 0)
	if nul < 0 {
		return text, nil
	}
	e := wrong("name a text file", "NUL byte")
	e.Line = 1 + strings.Count(text[:nul], "\n")
	return "", inFile(f.path, e)
}
