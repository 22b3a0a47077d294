package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// holdLockMain, `lockholder FILE`, takes the lock of a ledger and stops.
func holdLockMain() {
	fd, err := unix.Open(os.Args[1], unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	select {}
}

// holdlock FILE: a process takes the lock of the ledger FILE and stops.
func cmdHoldLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holdlock FILE")
	}
	s := scriptOf(ts)
	argv := []string{find("lockholder"), ts.MkAbs(args[0])}
	d, err := s.machine.daemon(ts.MkAbs("."), s.environ(ts), argv, filepath.Join(ts.Getenv("WORK"), "holdlock.log"))
	ts.Check(err)
	s.lockHolder = d
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if fields := procStat(d.cmd.Process.Pid); len(fields) > 0 && fields[0] == "T" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q has not stopped", argv)
		}
	}
}

// droplock ends it, and thereby the lock.
func cmdDropLock(ts *testscript.TestScript, neg bool, args []string) {
	d := scriptOf(ts).lockHolder
	ts.Check(d.cmd.Process.Kill())
	<-d.gone
}
