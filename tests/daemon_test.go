package tests

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// superserver [KIND [ADDRESS]] [: PROGRAM ARG…]
//
// Starts a super-server of that KIND ($SUPERSERVER) on port 25 of ADDRESS ($MX) that starts PROGRAM
// for each client, mostly `sendwrap -f sendwrap.conf`. In a script that runs in the room, KIND
// stands for its counterpart there.
func cmdSuperserver(ts *testscript.TestScript, neg bool, args []string) {
	var program []string
	if i := slices.Index(args, ":"); i >= 0 {
		args, program = args[:i], slices.Clone(args[i+1:])
	}
	kind, address := ts.Getenv("SUPERSERVER"), ts.Getenv("MX")
	if len(args) > 0 {
		kind = args[0]
	}
	if len(args) > 1 {
		address = args[1]
	}
	if neg || len(args) > 2 {
		ts.Fatalf("usage: superserver [KIND [ADDRESS]] [: PROGRAM ARG…]")
	}
	s := scriptOf(ts)
	if s.mode == inRoom && lab.Waiting[kind] != "" {
		kind = lab.Waiting[kind]
	}
	addr, err := netip.ParseAddr(address)
	ts.Check(err)
	listen := netip.AddrPortFrom(addr, 25)
	switch conf := ts.MkAbs("sendwrap.conf"); {
	case len(program) == 0 && kind == "listen":
		program = []string{ts.Getenv("SENDWRAP"), "listen", "-f", conf, listen.String()}
	case len(program) == 0:
		program = []string{ts.Getenv("SENDWRAP"), "-f", conf}
	default:
		program[0] = s.find(program[0])
	}
	argv, missing, err := lab.SuperServer(kind, ts.Getenv("WORK"), []netip.AddrPort{listen},
		program...)
	ts.Check(err)
	lab.Need(s.t, missing)
	if s.mode == byDoor {
		s.compile(ts)
	}
	startDaemon(ts, argv, listen)
}

// compile makes the policy of sendwrap.conf, so that the first client is the door's, too. One that
// comes after a change of sendwrap.conf is the full program's, and that makes the next policy. What
// is wrong with sendwrap.conf is for the script.
func (s *script) compile(ts *testscript.TestScript) {
	argv := []string{ts.Getenv("SENDWRAP"), "compile", "-f", ts.MkAbs("sendwrap.conf")}
	_, _, _, err := s.machine.run(ts.MkAbs("."), s.environ(ts), argv)
	ts.Check(err)
}

// daemon ADDRESS PROGRAM ARG…
//
// Starts any other program that listens on port 25 of ADDRESS, mostly a super-server with an
// administrator's own command line.
func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: daemon ADDRESS PROGRAM ARG…")
	}
	addr, err := netip.ParseAddr(args[0])
	ts.Check(err)
	argv := append([]string{scriptOf(ts).find(args[1])}, args[2:]...)
	startDaemon(ts, argv, netip.AddrPortFrom(addr, 25))
}

func startDaemon(ts *testscript.TestScript, argv []string, listen netip.AddrPort) {
	s := scriptOf(ts)
	s.machine.rooms.look(s.confs(ts)) // what is read from here on may be what there is now
	work := ts.Getenv("WORK")
	output := filepath.Join(work, "superserver.log")
	env := append(s.environ(ts), notifyVar+"="+notifySocket)
	server, err := s.machine.daemon(work, env, argv, output)
	ts.Check(err)
	s.server = server
	ts.Setenv("SERVER", fmt.Sprint(server.PID()))
	lab.Await(func() bool { return lab.Listening(listen) || server.Ended() })
	if !lab.Listening(listen) {
		said, _ := os.ReadFile(output)
		ts.Fatalf("%q does not listen on %v; ended: %v\n%s", argv, listen, server.Ended(), said)
	}
}

// stopserver ends the super-server and the room that it has started; the sessions go on.
func cmdStopServer(ts *testscript.TestScript, neg bool, args []string) {
	machineOf(ts).stop(serverOf(ts))
}

// serverends CODE: the daemon that was started last ends by itself, with that exit code.
func cmdServerEnds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serverends CODE")
	}
	d := serverOf(ts)
	if !d.Ends() {
		ts.Fatalf("%q still runs", d.Args)
	}
	if got := d.ProcessState; fmt.Sprint(got.ExitCode()) != args[0] {
		ts.Fatalf("%q: %v; want exit code %s", d.Args, got, args[0])
	}
}

// freeze [all] stops the super-server, or the room that it has started, with SIGSTOP: clients can
// connect, speak and leave before sendwrap looks at them. With `all` it also stops the processes
// where clients wait.
func cmdFreeze(ts *testscript.TestScript, neg bool, args []string) {
	signalServer(ts, unix.SIGSTOP, args)
}

// thaw [all] lets them go on.
func cmdThaw(ts *testscript.TestScript, neg bool, args []string) {
	signalServer(ts, unix.SIGCONT, args)
}

func signalServer(ts *testscript.TestScript, signal unix.Signal, args []string) {
	pid := serverOf(ts).PID()
	pids := []int{pid}
	if len(args) > 0 && args[0] == "all" {
		pids = append(pids, machineOf(ts).processes()...)
	} else {
		for _, room := range machineOf(ts).rooms.of(pid) {
			pids = append(pids, room.pid)
		}
	}
	for _, pid := range pids {
		ts.Check(unix.Kill(pid, signal))
		if signal == unix.SIGSTOP && !lab.Await(func() bool { return stopped(pid) }) {
			ts.Fatalf("process %d has not stopped", pid)
		}
	}
}

// stopped looks at every thread, since each stops in its own time.
func stopped(pid int) bool {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && !slices.ContainsFunc(threads, func(thread os.DirEntry) bool {
		tid, _ := strconv.Atoi(thread.Name())
		return lab.State(tid) != "T"
	})
}

func serverOf(ts *testscript.TestScript) *lab.Daemon {
	s := scriptOf(ts)
	if s.server == nil {
		ts.Fatalf("there is no super-server yet")
	}
	return s.server
}

// holdlock FILE: a process takes the lock of the ledger FILE and stops.
func cmdHoldLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holdlock FILE")
	}
	s := scriptOf(ts)
	argv := []string{s.find("lockholder"), ts.MkAbs(args[0])}
	d, err := s.machine.daemon(ts.MkAbs("."), s.environ(ts), argv, ts.MkAbs("holdlock.log"))
	ts.Check(err)
	s.lockHolder = d
	if !lab.Await(func() bool { return lab.State(d.PID()) == "T" || d.Ended() }) || d.Ended() {
		ts.Fatalf("%q has not stopped", argv)
	}
}

// droplock ends that process, and thus the lock.
func cmdDropLock(ts *testscript.TestScript, neg bool, args []string) {
	scriptOf(ts).lockHolder.KillAll()
}
