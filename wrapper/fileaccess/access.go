// Package fileaccess says whether users other than root and our own could change a file: the
// configuration, a program that we start, a directory in which we make files. sendwrap may run as
// root, and whoever can write such a file could have it do anything.
package fileaccess

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Mode bits by which others than a file's owner have access to it.
const (
	Writable   = 0o022 // its group or others may write it
	Accessible = 0o077 // its group or others may read, write or execute it
	Shared     = 0o037 // the same, but that its group may read it
)

// Fault is why other users have access to a file.
type Fault struct {
	Name string // of the file
	What string // is wrong with it
	Cure string
}

func (f *Fault) Error() string { return f.Name + ": " + f.What + "; " + f.Cure }

// Check returns why users other than root and our own may have access to a file: its owner is
// another user, or its mode has one of the bits. It returns nil if they have none. cure is what to
// do about the mode.
func Check(name string, st *unix.Stat_t, bits uint32, cure string) *Fault {
	if st.Uid != 0 && int(st.Uid) != unix.Geteuid() {
		what := "belongs to uid " + strconv.FormatUint(uint64(st.Uid), 10)
		return &Fault{name, what, "chown it to root"}
	}
	return CheckMode(name, st, bits, cure)
}

// CheckMode is Check for a file that may belong to any user.
func CheckMode(name string, st *unix.Stat_t, bits uint32, cure string) *Fault {
	if st.Mode&bits == 0 {
		return nil
	}
	access := "lets others in"
	switch {
	case bits != Writable:
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		access = "lets others replace what is in it"
	default:
		access = "lets others write it"
	}
	return &Fault{name, "mode " + octal(st.Mode&0o7777) + " " + access, cure}
}

// octal is a mode as chmod(1) takes it.
func octal(mode uint32) string { return "0" + strconv.FormatUint(uint64(mode), 8) }

// IsSticky reports whether a file is a directory in which users can neither rename nor remove the
// files of others, as /tmp is.
func IsSticky(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0
}
