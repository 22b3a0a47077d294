package exec

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Spawned finds the running programs that Spawn has started, in this process or another: the pid
// for each client. It recognizes them by their environment, and because they lead a session. It
// reads all of /proc, which takes some milliseconds, and finds nothing if /proc is unreadable. Any
// process can have such an environment: use the result for counting, not for signals.
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
		// A child of the program has the same environment, but does not lead the session.
		if sid, err := unix.Getsid(pid); err != nil || sid != pid {
			continue
		}
		if client, ok := clientOf(environOf(pid)); ok {
			found[client] = pid
		}
	}
	return found
}

// maxEnviron is how much of an environment is read, in bytes. Our variables are at its end, but few
// environments are longer.
const maxEnviron = 128 << 10

func environOf(pid int) []string {
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
	return strings.Split(string(text[:n]), "\x00")
}
