package exec

import (
	"net/netip"
	"strconv"
	"strings"
)

// environment is environ with the names that tell a program written for tcpserver which connection
// it has (UCSPI, as s6-tcpserver sets them: PROTO is TCP for IPv6 too, and an address has no zone),
// and without those that are not for it (isOurs). What an end that is not valid would have been
// called stays unsaid: no name is better than that of another connection.
//
// A name of the client's, or what ident said of it, stays only if tcpserver has said it of this
// very connection. A name of ours stays, whatever connection it came with; tcpserver -l0 writes 0
// for none.
func environment(environ []string, ends Ends) []string {
	env := make([]string, 0, len(environ)+6)
	theirs, named := saysClient(environ, ends.Client), false
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "TCPREMOTEHOST", "TCPREMOTEINFO":
			if !theirs {
				continue
			}
		case "TCPLOCALHOST":
			if named || value == "" || value == "0" {
				continue
			}
			named = true
		}
		if !isOurs(name) {
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

// saysClient says whether environ was made for the connection of this client.
func saysClient(environ []string, client netip.AddrPort) bool {
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
	return err == nil && addr.Unmap().WithZone("") == client.Addr().WithZone("") &&
		port == strconv.Itoa(int(client.Port()))
}

// isOurs says whether the MTA must not get name as we got it. We say it ourselves (UCSPI); or it
// promises sockets which the MTA does not get (sd_listen_fds(3)); or it lets a process speak to
// systemd for the service (sd_notify(3), sd_watchdog_enabled(3)), which is the room's to do; or it
// is how a room hands its clients to its successor.
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
