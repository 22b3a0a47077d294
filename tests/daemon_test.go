package tests

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

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
	s.machine.rooms.look(s.confs(ts)) // what is read from here on may be what there is now
	work := ts.Getenv("WORK")
	logFile := filepath.Join(work, "superserver.log")
	server, err := s.machine.daemon(work, append(s.environ(ts), notifyVar+"="+notifySocket), argv, logFile)
	ts.Check(err)
	s.server = server
	ts.Setenv("SERVER", fmt.Sprint(server.cmd.Process.Pid))
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

// stopserver ends the super-server and the room that it has started; the sessions they started live on.
func cmdStopServer(ts *testscript.TestScript, neg bool, args []string) {
	machineOf(ts).stop(serverOf(ts))
}

// serverends CODE: the daemon that was started last ends by itself, with that exit code.
func cmdServerEnds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serverends CODE")
	}
	d := serverOf(ts)
	select {
	case <-d.gone:
	case <-time.After(10 * time.Second):
		ts.Fatalf("%q still runs", d.cmd.Args)
	}
	if got := d.cmd.ProcessState; fmt.Sprint(got.ExitCode()) != args[0] {
		ts.Fatalf("%q: %v; want exit code %s", d.cmd.Args, got, args[0])
	}
}

// freeze stops the super-server, or the room that it has started, with SIGSTOP: clients can connect, speak and leave before sendwrap
// looks at them.
func cmdFreeze(ts *testscript.TestScript, neg bool, args []string) {
	signalServer(ts, syscall.SIGSTOP)
}

// thaw lets it go on.
func cmdThaw(ts *testscript.TestScript, neg bool, args []string) {
	signalServer(ts, syscall.SIGCONT)
}

func signalServer(ts *testscript.TestScript, signal syscall.Signal) {
	pid := serverOf(ts).cmd.Process.Pid
	ts.Check(syscall.Kill(pid, signal))
	for _, room := range machineOf(ts).rooms.of(pid) {
		ts.Check(syscall.Kill(room.pid, signal))
	}
}

func serverOf(ts *testscript.TestScript) *daemon {
	s := scriptOf(ts)
	if s.server == nil {
		ts.Fatalf("there is no super-server yet")
	}
	return s.server
}
