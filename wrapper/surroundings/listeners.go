package surroundings

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener is a TCP socket that waits for clients.
type Listener struct {
	Address   netip.AddrPort
	Processes []Process // all that have it open; empty if we may not see them: only root sees all
}

// Listeners are the sockets that listen on one of these ports, IPv4 first.
func Listeners(ports ...uint16) (all []Listener) {
	inodes := map[string]int{} // each socket's name in /proc/PID/fd, and its place in all
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			const listen = "0A"
			words := strings.Fields(line)
			if len(words) < 10 || words[3] != listen {
				continue
			}
			if at, ok := socketAddress(words[1]); ok && slices.Contains(ports, at.Port()) {
				inodes["socket:["+words[9]+"]"] = len(all)
				all = append(all, Listener{Address: at})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		target, _ := os.Readlink(fd)
		i, listens := inodes[target]
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		if !listens || err != nil {
			continue
		}
		has := func(p Process) bool { return p.PID == pid }
		if p, found := process(pid); found && !slices.ContainsFunc(all[i].Processes, has) {
			all[i].Processes = append(all[i].Processes, p)
		}
	}
	return all
}

// socketAddress reads an address of /proc/net/tcp: words of four bytes in the order of the machine,
// then the port. An IPv4-mapped one is returned as IPv4.
func socketAddress(text string) (at netip.AddrPort, ok bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return at, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), ok
}
