package fileaccess

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead over: the kernel's own limit.
const maxLinks = 40

// CheckPath returns why users other than root and our own could change the file at path, or put
// another in its place; nil if they cannot. Each step of the path, and of those that symbolic links
// add, must belong to root or to us, and neither the file nor a directory may be writable by its
// group or by others. A sticky directory may be.
//
// The error is a [*Fault] that names the step. It is an [*os.PathError] if a step is missing.
func CheckPath(path string) error {
	at, rest := "/", path // checked and free of links; still to come
	if !filepath.IsAbs(path) {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		rest = dir + "/" + path
	}
	if err := checkStep(at, path, new(unix.Stat_t)); err != nil {
		return err
	}
	for links := 0; rest != ""; {
		var name string
		switch name, rest, _ = strings.Cut(rest, "/"); name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		step := filepath.Join(at, name)
		var st unix.Stat_t
		if err := checkStep(step, path, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			at = step
			continue
		}
		if links++; links > maxLinks {
			return &os.PathError{Op: "stat", Path: path, Err: unix.ELOOP}
		}
		to, err := os.Readlink(step)
		if err != nil {
			return err
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = to + "/" + rest
	}
	return nil
}

// checkStep checks one step of a path, and fills st.
func checkStep(step, path string, st *unix.Stat_t) error {
	if err := unix.Lstat(step, st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	bits := uint32(Writable)
	if IsSticky(st) || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		bits = 0
	}
	if fault := Check(step, st, bits, "chmod go-w it"); fault != nil {
		return fault
	}
	return nil
}
