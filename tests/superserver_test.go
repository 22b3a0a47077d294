package tests

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// superservers are the ways in which sendwrap gets a client's socket on fd 0. Each is a real daemon; its own fuses (inetd's 256 starts
// a minute, xinetd's cps, tcpserver's 40 at a time) are opened wide, since what is tested is sendwrap's limits.
var superservers = []string{"inetd", "xinetd", "systemd", "tcpserver"}

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
	switch {
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
	switch kind {
	case "inetd":
		line := fmt.Sprintf("%s:%s stream tcp%s nowait.100000 root %s %s %s\n", inetdHost, port, family,
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
	wait        = no
	user        = root
	server      = %s
	server_args = %s
	instances   = UNLIMITED
	per_source  = UNLIMITED
	cps         = 100000 1
}
`, host, port, family, program[0], strings.Join(program[1:], " "))
		return []string{server, "-dontfork", "-pidfile", filepath.Join(work, "xinetd.pid"), "-f", conf}, os.WriteFile(conf, []byte(text), 0o644)
	case "systemd":
		return append([]string{server, "--inetd", "-a", "-l", addr.String()}, program...), nil
	case "tcpserver":
		return append([]string{server, "-H", "-R", "-l0", "-c", "5000", "-b", "4096", host, port}, program...), nil
	}
	return nil, fmt.Errorf("no super-server %q; there are %s", kind, strings.Join(superservers, ", "))
}

// superserver [KIND [ADDRESS]] [: PROGRAM ARG…]
//
// Starts a super-server of that KIND ($SUPERSERVER) on port 25 of ADDRESS ($MX) that starts PROGRAM for each client, which is
// `sendwrap -f sendwrap.conf` unless told otherwise.
func cmdSuperserver(ts *testscript.TestScript, neg bool, args []string) {
	program := []string{ts.Getenv("SENDWRAP"), "-f", ts.MkAbs("sendwrap.conf")}
	for i, arg := range args {
		if arg == ":" {
			program = args[i+1:]
			args = args[:i]
			break
		}
	}
	if path := find(program[0]); path != "" {
		program[0] = path
	}
	kind, address := ts.Getenv("SUPERSERVER"), ts.Getenv("MX")
	switch len(args) {
	case 2:
		kind, address = args[0], args[1]
	case 1:
		kind = args[0]
	}
	if neg || len(args) > 2 || len(program) == 0 {
		ts.Fatalf("usage: superserver [KIND [ADDRESS]] [: PROGRAM ARG…]")
	}
	addr, err := netip.ParseAddr(address)
	ts.Check(err)
	listen := netip.AddrPortFrom(addr, 25)
	if superserverProgram(kind, listen) == "" {
		scriptOf(ts).need(fmt.Sprintf("no %s for %v", kind, listen))
	}
	argv, err := superserverArgv(kind, ts.Getenv("WORK"), listen, program)
	ts.Check(err)
	startDaemon(ts, argv, listen)
}

// daemon ADDRESS PROGRAM ARG…
//
// Starts anything else that listens on port 25 of ADDRESS, a super-server with an administrator's own command line mostly.
func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: daemon ADDRESS PROGRAM ARG…")
	}
	addr, err := netip.ParseAddr(args[0])
	ts.Check(err)
	argv := append([]string(nil), args[1:]...)
	path := find(argv[0])
	if path == "" {
		scriptOf(ts).need("no " + argv[0])
	}
	argv[0] = path
	startDaemon(ts, argv, netip.AddrPortFrom(addr, 25))
}

func startDaemon(ts *testscript.TestScript, argv []string, listen netip.AddrPort) {
	s := scriptOf(ts)
	work := ts.Getenv("WORK")
	logFile := filepath.Join(work, "superserver.log")
	server, err := s.machine.daemon(work, s.environ(ts), argv, logFile)
	ts.Check(err)
	s.server = server
	timeout := time.After(10 * time.Second)
	for !listening(listen) {
		why := ""
		select {
		case <-time.After(5 * time.Millisecond):
			continue
		case <-server.gone:
			why = "is gone"
		case <-timeout:
			why = "does not listen on " + listen.String()
		}
		said, _ := os.ReadFile(logFile)
		ts.Fatalf("%q %s\n%s", argv, why, said)
	}
}

// listening reports whether somebody listens on addr. It asks the kernel, since a connection would be a client.
func listening(addr netip.AddrPort) bool {
	const stateListen = "0A"
	table, local := "/proc/net/tcp", ""
	ip := addr.Addr().AsSlice()
	if addr.Addr().Is6() {
		table = "/proc/net/tcp6"
	}
	for word := 0; word < len(ip); word += 4 { // printed as little-endian words of 32 bits
		local += fmt.Sprintf("%02X%02X%02X%02X", ip[word+3], ip[word+2], ip[word+1], ip[word])
	}
	local += fmt.Sprintf(":%04X", addr.Port())
	text, err := os.ReadFile(table)
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == local && f[3] == stateListen {
			return true
		}
	}
	return false
}

// stopserver ends the super-server; the sessions it started live on.
func cmdStopServer(ts *testscript.TestScript, neg bool, args []string) { serverOf(ts).stop() }

// freeze stops the super-server with SIGSTOP: clients can connect, speak and leave before sendwrap is started for them.
func cmdFreeze(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(serverOf(ts).cmd.Process.Signal(syscall.SIGSTOP))
}

// thaw lets it go on.
func cmdThaw(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(serverOf(ts).cmd.Process.Signal(syscall.SIGCONT))
}

func serverOf(ts *testscript.TestScript) *daemon {
	s := scriptOf(ts)
	if s.server == nil {
		ts.Fatalf("there is no super-server yet")
	}
	return s.server
}
