package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mostLinks is how many symbolic links a path may lead over: the kernel's own limit.
const mostLinks = 40

// Trusted says why somebody else than root and we could change the file at path, or put another in
// its place; nil if nobody can. Each step of the path, and of those that symbolic links add, must
// belong to root or to us, and neither the file nor a directory may be writable by its group or by
// others. A sticky directory may, as /tmp is: there nobody can rename or remove what is another's.
//
// The error names the step and what to do about it. One about a step that is not there is an
// *os.PathError.
func Trusted(path string) error {
	at, rest := "/", path // what was looked at, free of links, and what is to come
	if !filepath.IsAbs(path) {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		rest = dir + "/" + path
	}
	if err := ownStep(at, path, new(unix.Stat_t)); err != nil {
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
		if err := ownStep(step, path, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			at = step
			continue
		}
		if links++; links > mostLinks {
			return &os.PathError{Op: "exec", Path: path, Err: unix.ELOOP}
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

// ownStep looks at one step of a path.
func ownStep(step, path string, st *unix.Stat_t) error {
	if err := unix.Lstat(step, st); err != nil {
		return &os.PathError{Op: "exec", Path: path, Err: err}
	}
	const others = 0o022
	switch kind := st.Mode & unix.S_IFMT; {
	case st.Uid != 0 && int(st.Uid) != unix.Geteuid():
		return fmt.Errorf("%s: belongs to uid %d, who could have us run anything; chown it to root", step, st.Uid)
	case kind == unix.S_IFLNK, st.Mode&others == 0:
		return nil
	case kind != unix.S_IFDIR:
		return fmt.Errorf("%s: mode %#o lets others write it; chmod go-w it", step, st.Mode&0o7777)
	case st.Mode&unix.S_ISVTX == 0:
		return fmt.Errorf("%s: mode %#o lets others replace what is in it; chmod go-w it", step, st.Mode&0o7777)
	}
	return nil
}
