package exec

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spawn starts argv[0] (a path, as Replace) for the client whose connected socket is fd client, and
// returns its pid when the program has been exec'ed. What the program inherits is in the package
// comment. The caller keeps its client and must not close it before Spawn returns.
//
// Before the first Spawn call CloseOnExec, and signal.Notify for each signal that must not do to
// the caller what is its default: whatever our parent had us ignore the first Spawn sets to the
// default in our own process, as a child inherits it from there. So nohup(1) shields us from SIGHUP
// no longer. What Go handles stays handled. What our parent had us block, and somebody has sent,
// arrives.
//
// It takes the time that the kernel needs to fork us and to load the program: 0.15 ms, and since a
// fork copies the table of descriptors and an exec closes them, 0.1 ms more for each 1,000 that are
// open (measured, /bin/true from the cache).
//
// Call it from a goroutine of its own, never from a loop in which others wait, and let fewer run at
// once than GOMAXPROCS: the Go runtime does not know that the thread sleeps, and neither gives its
// place to another goroutine nor begins a garbage collection before it is awake.
//
// Any number of goroutines may call it, and open descriptors meanwhile, if they do so with
// O_CLOEXEC or SOCK_CLOEXEC: there is no instant at which a descriptor is open and not marked. One
// that is closed meanwhile stays open in the child until the program has been loaded.
//
// A child that cannot be started is gone when Spawn returns, and so is every descriptor that was
// needed. Where another goroutine reaps whatever there is to reap, by wait4(-1), it may see the end
// of that child, exit status 253 and a pid it has never heard of; and of a program that was started
// and ended at once, before Spawn has returned its pid.
//
// The error is an *os.PathError that says which program and why, errors.Is finds its errno; or an
// *os.SyscallError when the kernel refused a preparation. The client can still be told, as with
// Replace; its socket is in blocking mode then, and its options are set. An errno that is not about
// the program is the kernel out of something, and worth another try with the next client: EAGAIN
// (processes), ENOMEM, EMFILE and ENFILE (Spawn needs three descriptors for itself).
func (s *Stdio) Spawn(argv, environ []string, client int, ends Ends) (pid int, err error) {
	path, args, err := program(argv)
	if err != nil {
		return 0, err
	}
	if err := unix.SetNonblock(client, false); err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	prepare(client)

	// ForkExec moves its own pipe above every descriptor that it is to hand on. Above the last that
	// RLIMIT_NOFILE allows there is no place, and some client must be the last: it goes by a copy
	// whose number is low.
	low, err := unix.FcntlInt(uintptr(client), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	defer unix.Close(low)
	// The mask is the thread's own, and the child's is that of the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mask, err := emptyMask()
	if err != nil {
		return 0, err
	}
	defer restoreMask(mask)
	if err := s.hear(); err != nil {
		return 0, err
	}

	// ForkExec gives the child the default disposition for what Go handles, and RLIMIT_NOFILE as it
	// was before Go raised it, unless somebody has changed it since by prlimit(2).
	//
	// It waits for a child that could not exec by its pid. If a wait4(-1) elsewhere was faster this
	// ends with ECHILD, which ForkExec takes for done (forkExec in syscall/exec_unix.go). Only if
	// the pid had been given to a new child of ours within that instant, after all other pids had
	// been used up, would it wait for that one.
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

// hear is hearIgnored, once. Not at every Spawn, although signal.Stop puts SIGHUP and SIGINT back
// to ignored if they were so at start: one day it would meet a signal.Notify half-way.
func (s *Stdio) hear() error {
	s.hears.Lock()
	defer s.hears.Unlock()
	if s.hears.done {
		return nil
	}
	if err := hearIgnored(); err != nil {
		return err
	}
	s.hears.done = true
	return nil
}
