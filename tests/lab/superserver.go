package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// SuperServers are the ways in which a program gets a client's socket on fd 0, by real daemons.
var SuperServers = []string{"inetd", "xinetd", "systemd", "tcpserver"}

// Waiting is, for each of these, how a program gets the listening socket instead: from the same
// daemon in its mode that waits for the program or, since tcpserver has none, by opening it itself.
var Waiting = map[string]string{
	"inetd": "inetd-wait", "xinetd": "xinetd-wait", "systemd": "systemd-wait",
	"tcpserver": "listen",
}

// SuperServer returns the command line that makes a super-server listen on all of these addresses
// and start a program for each client (or, if it waits, for the first). It writes the
// super-server's configuration to dir.
//
// It raises the super-server's own limits (inetd's 256 starts a minute, xinetd's cps, tcpserver's
// 40 at a time). missing says what the machine lacks, if anything.
func SuperServer(kind, dir string, listen []netip.AddrPort, program ...string) (
	argv []string, missing string, err error) {
	daemon, waits := strings.CutSuffix(kind, "-wait")
	conf, text := filepath.Join(dir, kind+".conf"), ""
	switch daemon {
	case "inetd":
		for _, at := range listen {
			text += inetdLine(at, waits, program)
		}
		argv = []string{Find(daemon), "-i", "-q", "4096", conf}
	case "xinetd":
		for i, at := range listen {
			text += xinetdService(i, at, waits, program)
		}
		pidFile := filepath.Join(dir, "xinetd.pid")
		argv = []string{Find(daemon), "-dontfork", "-pidfile", pidFile, "-f", conf}
	case "systemd":
		daemon = "systemd-socket-activate"
		argv = []string{Find(daemon), "--inetd", "-a"}
		if waits {
			argv = []string{Find(daemon), "-E", "NOTIFY_SOCKET"}
		}
		for _, at := range listen {
			argv = append(argv, "-l", at.String())
		}
		argv = append(argv, program...)
	case "listen":
		argv = program
	case "tcpserver":
		at := listen[0] // it has no more than one
		argv = []string{Find(daemon)}
		if at.Addr().Is6() {
			// The package that knows IPv6 conflicts with the one that does not.
			daemon = "ucspi-tcp-ipv6/usr/bin/tcpserver"
			argv = []string{Unpacked(daemon)}
			if Lack(argv[0]) != "" {
				argv[0] = ""
			}
		}
		port := fmt.Sprint(at.Port())
		argv = append(argv, "-H", "-R", "-l0", "-c", "5000", "-b", "4096", at.Addr().String(), port)
		argv = append(argv, program...)
	default:
		return nil, "", fmt.Errorf("no super-server %q; there are %q and %q", kind, SuperServers,
			Waiting)
	}
	if argv[0] == "" {
		missing = Missing(daemon)
	}
	if text != "" {
		err = os.WriteFile(conf, []byte(text), 0o644)
	}
	if daemon == "inetd" {
		// For each client it closes as many descriptors as it could have. init gives it 1,024.
		argv = append([]string{"/bin/sh", "-c", `ulimit -Sn 1024; exec "$0" "$@"`}, argv...)
	}
	return argv, missing, err
}

func inetdLine(at netip.AddrPort, waits bool, program []string) string {
	family, wait := "tcp4", "nowait.100000"
	if at.Addr().Is6() {
		family = "tcp6"
	}
	if waits {
		wait = "wait.100"
	}
	return fmt.Sprintf("%v stream %s %s root %s %s %s\n", at, family, wait, program[0],
		filepath.Base(program[0]), strings.Join(program[1:], " "))
}

func xinetdService(i int, at netip.AddrPort, waits bool, program []string) string {
	family, wait := "IPv4", "no"
	if at.Addr().Is6() {
		family = "IPv6"
	}
	if waits {
		wait = "yes"
	}
	return fmt.Sprintf(`service smtp%d
{
	type        = UNLISTED
	bind        = %v
	port        = %d
	flags       = %s
	socket_type = stream
	protocol    = tcp
	wait        = %s
	user        = root
	server      = %s
	server_args = %s
	instances   = UNLIMITED
	per_source  = UNLIMITED
	cps         = 100000 1
}
`, i, at.Addr(), at.Port(), family, wait, program[0], strings.Join(program[1:], " "))
}
