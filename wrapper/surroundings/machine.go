package surroundings

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is a machine, seen from its root directory.
type Machine struct{ Root string }

// Here is this machine.
func Here() Machine { return Machine{"/"} }

const (
	maxText    = 4 << 20  // bytes of a configuration; the largest sendmail.cf has some 100 kB
	maxProgram = 16 << 20 // bytes; Exim has 1.5 MB
	maxLinks   = 40       // the kernel's own limit
)

// Text is what a file of the machine contains; found is false if it cannot be read, or is not a
// regular file of at most 4 MiB.
func (m Machine) Text(name string) (text string, found bool) { return m.read(name, maxText) }

// Has reports whether the machine has a file or a directory of that name, at the end of all links.
func (m Machine) Has(name string) bool {
	_, found := m.Resolve(name)
	return found
}

// Resolve is a file's name without symbolic links. These lead to files of the machine, also where
// they are absolute.
func (m Machine) Resolve(name string) (real string, found bool) {
	at, rest := "/", name
	for links := 0; rest != ""; {
		var step string
		if step, rest, _ = strings.Cut(rest, "/"); step == "" || step == "." {
			continue
		}
		next := filepath.Join(at, step) // never above the root
		to, err := os.Readlink(m.outside(next))
		switch {
		case errors.Is(err, unix.EINVAL): // no link
			at = next
			continue
		case err != nil:
			return "", false
		}
		if links++; links > maxLinks {
			return "", false
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = to + "/" + rest
	}
	return at, true
}

// outside is the name by which this process reads a file of the machine.
func (m Machine) outside(name string) string { return filepath.Join(m.Root, name) }

// List names the files that exist of these patterns, in the order of the patterns.
func (m Machine) List(patterns ...string) (names []string) {
	for _, pattern := range patterns {
		names = append(names, m.glob(pattern)...)
	}
	return names
}

// glob lists the files that match a pattern, in alphabetical order.
func (m Machine) glob(pattern string) (names []string) {
	found, _ := filepath.Glob(m.outside(pattern))
	for _, name := range found {
		names = append(names, "/"+strings.Trim(strings.TrimPrefix(name, m.Root), "/"))
	}
	return names
}

func (m Machine) read(name string, limit int64) (text string, found bool) {
	real, found := m.Resolve(name)
	if !found {
		return "", false
	}
	// O_NONBLOCK: an open of a FIFO would wait for a writer.
	f, err := os.OpenFile(m.outside(real), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	all, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil || int64(len(all)) > limit {
		return "", false
	}
	return string(all), true
}
