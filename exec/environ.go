package exec

import (
	"net/netip"
	"strconv"
	"strings"
)

// environment is environ with the names that tell a program written for tcpserver who is there (UCSPI, as s6-tcpserver
// sets them: PROTO is TCP for IPv6 too, and an address has no zone), and without those that are not for it (isOurs). What
// an end that is not valid would have been called stays unsaid: no name is better than that of another connection.
func environment(environ []string, ends Ends) []string {
	env := make([]string, 0, len(environ)+5)
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !isOurs(name) {
			env = append(env, entry)
		}
	}
	env = append(env, "PROTO=TCP")
	env = appendEnd(env, "TCPREMOTE", ends.Client)
	return appendEnd(env, "TCPLOCAL", ends.Server)
}

// isOurs says whether the MTA must not get name as we got it. We say it anew (UCSPI); or it promises sockets which the MTA
// does not get (sd_listen_fds(3)); or it lets a process speak to systemd for the service (sd_notify(3),
// sd_watchdog_enabled(3)), which is the room's to do; or it is how a room hands its clients to its successor.
func isOurs(name string) bool {
	switch name {
	case "PROTO", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALIP", "TCPLOCALPORT",
		"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
		"SENDWRAP_HANDOVER":
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
