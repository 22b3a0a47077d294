package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// superServer starts a program for each connection, as tcpserver does: the connection is its fds 0,
// 1 and 2, and it has no other.
//
// It does nothing by itself: client and super-server take turns in one thread, so that on a small
// machine nothing competes with the program that is measured.
type superServer struct {
	fd   int
	addr netip.AddrPort
}

// listen returns a super-server on a free port of addr.
func listen(addr netip.Addr) (*superServer, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := bound(fd); err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr.As4()}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	// The memory rows open 1,000 connections before the first is accepted.
	if err := unix.Listen(fd, 2048); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	port := bound.(*unix.SockaddrInet4).Port
	return &superServer{fd: fd, addr: netip.AddrPortFrom(addr, uint16(port))}, nil
}

// accept returns the next connection.
func (s *superServer) accept() (fd int, err error) {
	fd, _, err = unix.Accept4(s.fd, unix.SOCK_CLOEXEC)
	return fd, os.NewSyscallError("accept", err)
}

// start starts a program on a connection and closes the super-server's own copy of it. It returns
// when the program has been exec'ed.
func start(conn int, p peer) (child, error) {
	in := uintptr(conn)
	file := p.file
	if file == "" {
		file = p.argv[0]
	}
	pid, err := syscall.ForkExec(file, p.argv, &syscall.ProcAttr{
		Env:   append(p.env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
		Files: []uintptr{in, in, in},
		Sys:   &syscall.SysProcAttr{Ptrace: p.traced},
	})
	unix.Close(conn)
	if err != nil {
		return 0, &os.PathError{Op: "start", Path: file, Err: err}
	}
	return child(pid), nil
}

// child is the process id of one started program.
type child int

// wait returns the CPU time, user and system, that the program has used.
//
// The sum comes from the scheduler's exact run time, however the kernel splits it into user and
// system (cputime_adjust in kernel/sched/cputime.c): checkRusage makes sure of that. It does not
// contain the super-server's fork(2).
func (c child) wait() (time.Duration, error) {
	var status unix.WaitStatus
	var usage unix.Rusage
	late := time.AfterFunc(lab.Patience, func() { _ = unix.Kill(int(c), unix.SIGKILL) })
	defer late.Stop()
	for {
		_, err := unix.Wait4(int(c), &status, 0, &usage)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, os.NewSyscallError("wait4", err)
		}
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		return 0, fmt.Errorf("ended with wait status %#x, want exit code 0", int(status))
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// checkRusage reports an error if the kernel measures the CPU time of a process by sampling it at
// clock ticks: then most programs here would take no time at all.
func (l *bench) checkRusage() error {
	const runs = 20
	ticks := 0
	r := load{clients: runs, atOnce: 1, from: l.client, opening: slam}
	samples, err := l.visits(l.cFloor(), r)
	if err != nil {
		return err
	}
	for _, s := range samples {
		if s.cpu%time.Millisecond == 0 {
			ticks++
		}
	}
	if ticks > runs/2 {
		return errors.New("this kernel counts the CPU time of processes in ticks only; " +
			"nothing here would be exact")
	}
	return nil
}
