package resolve

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxServers is how many nameserver lines of resolv.conf count: the first (MAXNS in resolv.h).
	maxServers = 3

	// maxFile is how much of resolv.conf is read.
	maxFile = 64 << 10

	// lookPause is how long resolv.conf is taken for unchanged.
	lookPause = time.Second
)

// source is where the servers come from.
type source struct {
	fixed bool   // list is given and stays
	path  string // of resolv.conf
	port  uint16 // of the servers in it

	list   *serverList
	looked time.Time // when the file was
	file   fileState // that list is from; zero if there was none
}

// fileState tells one state of a file from another.
type fileState struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

// servers are those to ask now. resolv.conf is looked at once a second at most, and read if it is
// another one or has changed.
func (r *Resolver) servers(now time.Time) *serverList {
	s := &r.source
	if s.fixed || s.list != nil && now.Sub(s.looked) < lookPause {
		return s.list
	}
	s.looked = now
	r.calls.looks++
	var st unix.Stat_t
	var state fileState
	if unix.Stat(s.path, &st) == nil {
		state = stateOf(&st)
	}
	if s.list == nil || state != s.file {
		var text []byte
		text, s.file = readFile(s.path)
		s.list = parseResolvConf(string(text), s.port)
	}
	return s.list
}

func stateOf(st *unix.Stat_t) fileState {
	return fileState{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}
}

// readFile reads a regular file; anything else is as no file. The state is that before it was read:
// if it changes meanwhile, it is read again.
func readFile(path string) (text []byte, state fileState) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fileState{}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fileState{}
	}
	for len(text) < maxFile {
		var buf [4096]byte
		n, err := unix.Read(fd, buf[:min(len(buf), maxFile-len(text))])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	return text, stateOf(&st)
}

// parseResolvConf reads resolv.conf as the C library does: a keyword begins its line, and what it
// does not understand is ignored. Without a server it is the one on this machine.
func parseResolvConf(text string, port uint16) *serverList {
	var addrs []netip.AddrPort
	var options []string
	for line := range strings.Lines(text) {
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			addr, err := netip.ParseAddr(words[1])
			if err == nil && len(addrs) < maxServers {
				addrs = append(addrs, netip.AddrPortFrom(addr, port))
			}
		case "options":
			options = append(options, words[1:]...)
		}
	}
	if len(addrs) == 0 {
		local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		addrs = []netip.AddrPort{netip.AddrPortFrom(local, port)}
	}
	l := newServerList(addrs)
	for _, o := range options {
		l.option(o)
	}
	return l
}

// option applies a word of an options line. The bounds are those of the C library.
func (l *serverList) option(word string) {
	name, value, _ := strings.Cut(word, ":")
	n, err := strconv.Atoi(value)
	switch {
	case word == "rotate":
		l.rotate = true
	case err != nil:
	case name == "timeout":
		l.timeout = time.Duration(min(max(n, 1), 30)) * time.Second
	case name == "attempts":
		l.attempts = min(max(n, 1), 5)
	}
}
