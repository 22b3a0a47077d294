package tests

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// superservers are the ways in which sendwrap gets a client's socket on fd 0. Each is a real daemon; its own fuses (inetd's 256 starts
// a minute, xinetd's cps, tcpserver's 40 at a time) are opened wide, since what is tested is sendwrap's limits.
var superservers = []string{"inetd", "xinetd", "systemd", "tcpserver"}

// roomed is, for each of these, how sendwrap gets a listening socket instead and becomes a room: from the same daemon told to wait for
// it, or, since tcpserver cannot do that, by opening one itself.
var roomed = map[string]string{"inetd": "inetd-wait", "xinetd": "xinetd-wait", "systemd": "systemd-wait", "tcpserver": "listen"}

// unpacked is where setup.sh puts the packages that cannot be installed beside the others.
func unpacked(path string) string {
	cache, _ := os.UserCacheDir()
	return filepath.Join(cache, "sendwrap-tests", path)
}

// find returns the path of a program: from $PATH, /usr/sbin or what setup.sh has unpacked, or "" if the machine has none.
func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", unpacked("xinetd/usr/sbin")} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// superserverProgram returns the program of a super-server for addr, or "" if the machine has none.
func superserverProgram(kind string, addr netip.AddrPort) string {
	kind = strings.TrimSuffix(kind, "-wait")
	switch {
	case kind == "listen":
		return find("env") // the daemon is sendwrap itself
	case kind == "systemd":
		return find("systemd-socket-activate")
	case kind == "tcpserver" && addr.Addr().Is6():
		// ucspi-tcp itself knows IPv4 only; the package with IPv6 conflicts with it and lies unpacked beside.
		path, err := exec.LookPath(unpacked("ucspi-tcp-ipv6/usr/bin/tcpserver"))
		if err != nil {
			return ""
		}
		return path
	}
	return find(kind)
}

// superserverArgv returns the command line that makes a super-server listen on addr and start program for each client; what it
// reads is written to the directory work.
func superserverArgv(kind, work string, addr netip.AddrPort, program []string) ([]string, error) {
	server := superserverProgram(kind, addr)
	host, port := addr.Addr().String(), fmt.Sprint(addr.Port())
	conf := filepath.Join(work, kind+".conf")
	inetdHost, family := host, "4"
	if addr.Addr().Is6() {
		inetdHost, family = "["+host+"]", "6"
	}
	kind, waits := strings.CutSuffix(kind, "-wait")
	wait := "no"
	if waits {
		wait = "yes"
	}
	switch kind {
	case "inetd":
		nowait := map[bool]string{true: "wait.100", false: "nowait.100000"}[waits]
		line := fmt.Sprintf("%s:%s stream tcp%s %s root %s %s %s\n", inetdHost, port, family, nowait,
			program[0], filepath.Base(program[0]), strings.Join(program[1:], " "))
		return []string{server, "-i", "-q", "4096", conf}, os.WriteFile(conf, []byte(line), 0o644)
	case "xinetd":
		text := fmt.Sprintf(`service smtp
{
	type        = UNLISTED
	bind        = %s
	port        = %s
	flags       = IPv%s
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
`, host, port, family, wait, program[0], strings.Join(program[1:], " "))
		return []string{server, "-dontfork", "-pidfile", filepath.Join(work, "xinetd.pid"), "-f", conf}, os.WriteFile(conf, []byte(text), 0o644)
	case "systemd":
		if waits {
			return append([]string{server, "-E", notifyVar, "-l", addr.String()}, program...), nil
		}
		return append([]string{server, "--inetd", "-a", "-l", addr.String()}, program...), nil
	case "listen":
		return program, nil
	case "tcpserver":
		return append([]string{server, "-H", "-R", "-l0", "-c", "5000", "-b", "4096", host, port}, program...), nil
	}
	return nil, fmt.Errorf("no super-server %q; there are %s, and %v", kind, strings.Join(superservers, ", "), roomed)
}

// superserver [KIND [ADDRESS]] [: PROGRAM ARG…]
//
// Starts a super-server of that KIND ($SUPERSERVER) on port 25 of ADDRESS ($MX) that starts PROGRAM for each client, which is
// `sendwrap -f sendwrap.conf` unless told otherwise. In a script that runs in the room KIND is what stands for it there.
func cmdSuperserver(ts *testscript.TestScript, neg bool, args []string) {
	var program []string
	for i, arg := range args {
		if arg == ":" {
			program = slices.Clone(args[i+1:])
			args = args[:i]
			break
		}
	}
	kind, address := ts.Getenv("SUPERSERVER"), ts.Getenv("MX")
	switch len(args) {
	case 2:
		kind, address = args[0], args[1]
	case 1:
		kind = args[0]
	}
	if neg || len(args) > 2 {
		ts.Fatalf("usage: superserver [KIND [ADDRESS]] [: PROGRAM ARG…]")
	}
	s := scriptOf(ts)
	if s.inRoom && roomed[kind] != "" {
		kind = roomed[kind]
	}
	addr, err := netip.ParseAddr(address)
	ts.Check(err)
	listen := netip.AddrPortFrom(addr, 25)
	switch conf := ts.MkAbs("sendwrap.conf"); {
	case len(program) == 0 && kind == "listen":
		program = []string{ts.Getenv("SENDWRAP"), "listen", "-f", conf, listen.String()}
	case len(program) == 0:
		program = []string{ts.Getenv("SENDWRAP"), "-f", conf}
	}
	if path := find(program[0]); path != "" {
		program[0] = path
	}
	if superserverProgram(kind, listen) == "" {
		s.need(fmt.Sprintf("no %s for %v", kind, listen))
	}
	argv, err := superserverArgv(kind, ts.Getenv("WORK"), listen, program)
	ts.Check(err)
	startDaemon(ts, argv, listen)
}
