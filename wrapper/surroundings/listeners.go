package surroundings

import (
	"encoding/binary"
	"maps"
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
	for name, processes := range HoldersOf(slices.Collect(maps.Keys(inodes))...) {
		all[inodes[name]].Processes = processes
	}
	return all
}

// HoldersOf are the processes that have files open, by the names of these in /proc/PID/fd, such as
// socket:[4242].
func HoldersOf(names ...string) map[string][]Process {
	all := map[string][]Process{}
	if len(names) == 0 {
		return all
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		name, _ := os.Readlink(fd)
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		has := func(p Process) bool { return p.PID == pid }
		if err != nil || !slices.Contains(names, name) || slices.ContainsFunc(all[name], has) {
			continue
		}
		if p, found := process(pid); found {
			all[name] = append(all[name], p)
		}
	}
	return all
}

// socketAddress reads an address of /proc/net/tcp: words of four bytes in the order of the machine,
// then the port. An IPv4-mapped one is returned as IPv4.
func socketAddress(text string) (at netip.AddrPort, ok bool) {
	const digits = 8 // of a word
	address, port, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	var raw []byte
	for ; len(address) >= digits && err == nil; address = address[digits:] {
		var word uint64
		word, err = strconv.ParseUint(address[:digits], 16, 32)
		raw = binary.NativeEndian.AppendUint32(raw, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	if err != nil || !ok {
		return at, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), true
}
