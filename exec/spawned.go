package exec

import (
	"bytes"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Spawned finds the programs that Spawn has started, ours or another's, and that still run: the pid
// for each client, by what their environment says and that they lead a session. It reads all of
// /proc, some milliseconds of work, and finds nothing where that cannot be read. Anybody can set an
// environment, so it is good for counting, not for signals.
func Spawned() map[netip.AddrPort]int {
	found := map[netip.AddrPort]int{}
	dir, err := os.Open("/proc")
	if err != nil {
		return found
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		// A child of the program has the same environment, but leads no session of its own, or not
		// this one.
		if sid, err := unix.Getsid(pid); err != nil || sid != pid {
			continue
		}
		if client, ok := clientOf(environOf(pid)); ok {
			found[client] = pid
		}
	}
	return found
}

// maxEnviron is how much of an environment is read; ours stands at its end, but few are so long.
const maxEnviron = 128 << 10

func environOf(pid int) []byte {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/environ", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	text := make([]byte, maxEnviron)
	n := 0
	for n < len(text) {
		more, err := unix.Read(fd, text[n:])
		if err != nil || more <= 0 {
			break
		}
		n += more
	}
	return text[:n]
}

// clientOf is the client that an environment names.
func clientOf(environ []byte) (netip.AddrPort, bool) {
	var ip, port string
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if v, ok := bytes.CutPrefix(entry, []byte("TCPREMOTEIP=")); ok {
			ip = string(v)
		} else if v, ok := bytes.CutPrefix(entry, []byte("TCPREMOTEPORT=")); ok {
			port = string(v)
		}
	}
	addr, err := netip.ParseAddr(ip)
	number, wrong := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(addr, uint16(number)), err == nil && wrong == nil
}
