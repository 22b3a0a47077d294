package wrapper

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// HostName is the machine's node name (uname(2)), by which replies name us. No resolver is asked:
// it could take longer than the client is willing to wait.
func HostName() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "localhost"
	}
	name, _, _ := bytes.Cut(u.Nodename[:], []byte{0})
	for _, b := range name {
		if b <= ' ' || b >= 0x7f {
			return "localhost" // nothing that would break a reply line
		}
	}
	if len(name) == 0 {
		return "localhost"
	}
	return string(name)
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
