//go:build door

// See main.go.
//
//go:debug updatemaxprocs=0

// The door is the program that a super-server starts for each connection: the way of one client,
// and nothing else. It decides by the compiled policy. For everything else (a command, a listening
// socket, a policy that is not that of sendwrap.conf any more, a block to carry out) it becomes the
// full program.
package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	_ "sendwrap/exec/stack"
	"sendwrap/wrapper"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The linker sets both; see Makefile.
var (
	fullProgram = "/usr/local/libexec/sendwrap/sendwrap"
	stateDir    = policy.Dir
)

// Exit statuses, as those of the full program.
const (
	exitOK        = 0
	exitTemporary = 111
)

func main() {
	if os.Args[0] == exec.RelayName {
		exec.Relay()
	}
	os.Exit(run(os.Args[1:]))
}

// run serves the client on stdin by the policy. It returns only if the client is refused or has
// left.
func run(args []string) int {
	stdio, stdioErr := exec.TakeStdio()
	log := maillog.Syslog(maillog.DevLog)
	file := policy.DefaultPath
	switch {
	case len(args) == 2 && args[0] == "-f":
		file = args[1]
	case len(args) > 0:
		return becomeFull(task{}, stdio, log)
	}
	conn, err := wrapper.Inspect(0)
	gone := errors.Is(err, wrapper.ErrGone)
	if err != nil && !gone {
		return becomeFull(task{}, stdio, log)
	}
	path, ok := policy.Path(stateDir, file)
	if !ok {
		return becomeFull(task{}, stdio, log)
	}
	compiled, err := policy.Open(path, file, conn.Client.Addr())
	if err != nil {
		return becomeFull(task{compile: true}, stdio, log)
	}
	log = chooseLog(compiled.Policy().Log, stdio)
	door := wrapper.NewDoor(compiled.Policy(), log)
	door.Others = compiled.Others
	if !door.OpenFittingLedger() {
		return becomeFull(task{}, stdio, log)
	}
	door.WarnAgain(append(stdioWarnings(stdioErr, stdio), compiled.Warnings()...))
	removeUnread := func() {
		if door.Unread != nil {
			compiled.Remove()
		}
	}
	block, err := serveClient(conn, gone, door, stdio, removeUnread)
	removeUnread()
	switch {
	case err != nil:
		return exitTemporary
	case block.For > 0:
		return becomeFull(task{block: block}, stdio, log)
	}
	return exitOK
}

// becomeFull becomes the full program, which does the task. Where that fails, a client on stdin
// reads that it may come back later, unless it has had its reply. log is that of the policy, if
// there is one.
func becomeFull(t task, stdio *exec.Stdio, log maillog.Log) int {
	t.version, t.release = policy.Version, wrapper.Version
	err := notByDoor()
	if err == nil {
		err = stdio.Become(fullProgram, t.String())
	}
	if t.block.For > 0 {
		_ = log.Write(maillog.Err, "the block of "+t.block.Network.String()+
			" is not carried out: "+err.Error())
		return exitTemporary
	}
	conn, notClient := wrapper.Inspect(0)
	if notClient == nil {
		refuse(conn, err, log)
		return exitTemporary
	}
	_ = log.Write(maillog.Err, err.Error())
	if !stdio.StderrIsClient {
		_, _ = unix.Write(2, []byte("sendwrap: "+err.Error()+"\n"))
	}
	return exitTemporary
}

// notByDoor is an error if a door has become this program: then it is in the place of the full
// program, and to become that would never end.
func notByDoor() error {
	if _, found := os.LookupEnv(exec.DoorVariable); !found {
		return nil
	}
	return &os.PathError{Op: "exec", Path: fullProgram,
		Err: errors.New("is the door program; install the full one there")}
}
