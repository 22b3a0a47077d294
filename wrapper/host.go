package wrapper

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/policy"
)

// hostsFile has the domain of the machine if its node name has none.
const hostsFile = "/etc/hosts"

// maxHosts is how much of it is read: the machine's own line is near its beginning, whatever lists
// follow.
const maxHosts = 4 << 10

// HostName is our name in refusals: the configured one, or the machine's, which it then notes in
// the settings. Call it before you share them between goroutines.
func HostName(s *policy.Settings) string {
	if s.Hostname == "" {
		s.Hostname = MachineName()
	}
	return s.Hostname
}

// MachineName is the machine's node name (uname(2)), with its domain if /etc/hosts has one. It asks
// no resolver, which could take longer than the client is willing to wait, and does not read
// /etc/mailname, which mostly has the domain of addresses and no host name.
func MachineName() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "localhost"
	}
	name := unix.ByteSliceToString(u.Nodename[:])
	switch {
	case !fitsName(name):
		return "localhost"
	case strings.Contains(name, "."):
		return name
	}
	return withDomain(name, readSome(hostsFile, maxHosts))
}

// withDomain is the first name with a dot on a line of /etc/hosts that also has the name; else the
// name itself. localhost.localdomain and localhost4.localdomain4 name no machine.
func withDomain(name, hosts string) string {
	for line := range strings.Lines(hosts) {
		line, _, _ = strings.Cut(line, "#")
		words, ours, full := strings.Fields(line), false, ""
		for _, word := range words[min(1, len(words)):] {
			ours = ours || strings.EqualFold(word, name)
			name := strings.TrimSuffix(word, ".")
			if full == "" && strings.Contains(name, ".") && fitsName(name) &&
				policy.IsHostname(name) && !strings.HasPrefix(name, "localhost") {
				full = name
			}
		}
		if ours && full != "" {
			return full
		}
	}
	return name
}

// fitsName says whether a reply can hold the name.
func fitsName(name string) bool {
	return name != "" && len(name) <= policy.MaxHostname &&
		!strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

// readSome is the beginning of a small file, "" if it cannot be read. It does not wait for the
// other end of a FIFO.
func readSome(path string, size int) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	text := make([]byte, size)
	n, err := unix.Read(fd, text)
	if err != nil {
		return ""
	}
	text = text[:n]
	if n == size { // the last line may not be whole
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	return string(text)
}

// loadAverage is the 1-minute load average (sysinfo(2)), which needs no /proc; 0 if unknown.
func loadAverage() float64 {
	const scale = 1 << 16 // SI_LOAD_SHIFT
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) != nil {
		return 0
	}
	return float64(si.Loads[0]) / scale
}
