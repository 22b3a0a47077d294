package exec

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spawn starts argv[0], a path as for Replace, for the client on the connected socket client. It
// returns the pid after the program's execve. The package comment says what the program inherits.
// The caller keeps its client, and must not close it before Spawn returns.
//
// Preparation. Before its first Spawn, a process calls CloseOnExec, and signal.Notify for each
// signal whose default must not affect it: a child inherits ignored signals from its parent, so the
// first Spawn unignores all signals of our own process. For instance nohup(1) no longer protects it
// from SIGHUP. Signals that Go handles are not affected. Pending signals that were blocked arrive.
//
// Time. A fork with an exec takes 0.15 ms, and 0.1 ms more for each 1,000 open descriptors, since
// the fork copies their table (measured with /bin/true in the cache). Go's runtime does not know
// that the thread sleeps meanwhile: it gives its processor to no other goroutine, and cannot begin
// a garbage collection. So call Spawn from a goroutine of its own, not from a loop that serves
// others, and run fewer at once than GOMAXPROCS.
//
// Concurrency. Any number of goroutines may call Spawn, and open descriptors with O_CLOEXEC or
// SOCK_CLOEXEC meanwhile: at no instant is a descriptor open and unmarked. A descriptor that is
// closed meanwhile stays open in the child until its execve. A goroutine that reaps any child, by
// wait4(-1), can see two unknown pids: that of a child that could not execute the program (exit
// status 253), and that of a program that ends before Spawn has returned its pid.
//
// Errors. On error no child and no descriptor is left. The error is an *os.PathError with the
// program and the reason, in which errors.Is finds the errno, or an *os.SyscallError if a
// preparation failed. The caller can still refuse the client; the socket is then in blocking mode,
// with its options set. EAGAIN (processes), ENOMEM, EMFILE and ENFILE (Spawn needs three
// descriptors) are not about the program: try again with the next client.
func (s *Stdio) Spawn(argv, environ []string, client int, ends Ends) (pid int, err error) {
	path, args, err := program(argv)
	if err != nil {
		return 0, err
	}
	if err := unix.SetNonblock(client, false); err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	setSocketOptions(client)

	// ForkExec moves its own pipe above every descriptor that the child gets. If client is the
	// highest that RLIMIT_NOFILE allows, that fails, so the child gets a copy with a low number.
	low, err := unix.FcntlInt(uintptr(client), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	defer unix.Close(low)
	// The child gets the mask of the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mask, err := emptyMask()
	if err != nil {
		return 0, err
	}
	defer restoreMask(mask)
	if err := s.unignoreOnce(); err != nil {
		return 0, err
	}

	// ForkExec resets the signals that Go handles to their default, and RLIMIT_NOFILE to its
	// original value, unless prlimit(2) has changed it since.
	//
	// If the child could not exec, ForkExec waits for its pid. A wait4(-1) elsewhere may be faster:
	// then the result is ECHILD, which ForkExec accepts (forkExec in syscall/exec_unix.go). It
	// could wait for a wrong child only if the kernel reused the pid for another child of ours in
	// that instant.
	pid, err = syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env:   environment(environ, ends),
		Files: []uintptr{uintptr(low), uintptr(low), uintptr(s.mtaFD(low))},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
	}
	return pid, nil
}

// unignoreOnce calls unignoreSignals until it succeeds. It does so only once, since each call could
// undo a concurrent signal.Notify. (signal.Stop makes SIGHUP and SIGINT ignored again if they were
// so at start; we accept that.)
func (s *Stdio) unignoreOnce() error {
	s.unignored.Lock()
	defer s.unignored.Unlock()
	if s.unignored.done {
		return nil
	}
	err := unignoreSignals()
	s.unignored.done = err == nil
	return err
}
