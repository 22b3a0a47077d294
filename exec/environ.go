package exec

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Environ is the environment as the process got it, for other programs: [os.Environ] without what
// the entry point has added.
func Environ() []string {
	environ := os.Environ()
	for i, entry := range environ {
		if isAdded(entry) {
			return append(environ[:i], environ[i+1:]...)
		}
	}
	return environ
}

// isAdded reports whether the entry point has added this entry. The runtime has read it.
func isAdded(entry string) bool { return procsAdded != 0 && entry == "GOMAXPROCS=1" }

// environment is environ with the variables of UCSPI, which tell a program for tcpserver about its
// connection, and without those that it must not get (isDropped). The values are those of
// s6-tcpserver: PROTO is TCP for IPv6 too, and an address has no zone. An invalid end has no
// variables, since the values of another connection would be worse.
//
// The client's name, and the answer of ident, stay only if tcpserver has set them for this very
// connection. Our own name stays in any case; tcpserver -l0 writes 0 for none.
func environment(environ []string, ends Ends) []string {
	env := make([]string, 0, len(environ)+6)
	sameClient, named := isFor(environ, ends.Client), false
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "TCPREMOTEHOST", "TCPREMOTEINFO":
			if !sameClient {
				continue
			}
		case "TCPLOCALHOST":
			if named || value == "" || value == "0" {
				continue
			}
			named = true
		}
		if !isDropped(name) && !isAdded(entry) {
			env = append(env, entry)
		}
	}
	env = append(env, "PROTO=TCP")
	env = appendEnd(env, "TCPREMOTE", ends.Client)
	env = appendEnd(env, "TCPLOCAL", ends.Server)
	if !named && ends.Host != "" {
		env = append(env, "TCPLOCALHOST="+ends.Host)
	}
	return env
}

// isFor reports whether tcpserver has made environ for the connection of this client.
func isFor(environ []string, client netip.AddrPort) bool {
	other, ok := clientOf(environ)
	return ok && other.Port() == client.Port() &&
		other.Addr().Unmap().WithZone("") == client.Addr().WithZone("")
}

// clientOf is the client in an environment.
func clientOf(environ []string) (client netip.AddrPort, ok bool) {
	var ip, port string
	for _, entry := range environ {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "TCPREMOTEIP":
			ip = value
		case "TCPREMOTEPORT":
			port = value
		}
	}
	addr, err := netip.ParseAddr(ip)
	number, portErr := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(addr, uint16(number)), err == nil && portErr == nil
}

// isDropped reports whether the MTA must not get a variable as we have it: those of UCSPI, which we
// set ourselves; those of sd_listen_fds(3), since the MTA does not get these sockets; those of
// sd_notify(3) and sd_watchdog_enabled(3), since only the room speaks for the service; and those by
// which a program of ours speaks to the next one.
func isDropped(name string) bool {
	switch name {
	case "PROTO", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALIP", "TCPLOCALPORT",
		"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
		"SENDWRAP_HANDOVER", DoorVariable:
		return true
	}
	return false
}

func appendEnd(env []string, prefix string, end netip.AddrPort) []string {
	if !end.IsValid() {
		return env
	}
	return append(env,
		prefix+"IP="+end.Addr().WithZone("").String(),
		prefix+"PORT="+strconv.Itoa(int(end.Port())))
}
