package exec

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Hooks runs hooks: programs of the administrator that have no client, such as on_block. A process
// has one Hooks, made by [NewHooks].
//
// The name of a hook is the base name of its path. It inherits our user, umask and original
// RLIMIT_NOFILE, and nothing else: fd 0 is /dev/null, fds 1 and 2 are a pipe to us, no other is
// open; the environment is an argument, the working directory is /, session and process group are
// its own, and every signal has its default and is not blocked.
type Hooks struct {
	retryReap func()     // call Reap again; nil = only Run reaps
	forks     sync.Mutex // see Fork

	mu       sync.Mutex // held during a fork: until the pid is known, Reap must not see the child
	running  map[int]chan unix.WaitStatus
	mustReap atomic.Bool // Reap was called while mu was held
}

// NewHooks prepares a process for hooks. A child inherits ignored signals from its parent, so
// NewHooks gives their default to all ignored signals of the process: call signal.Notify before,
// and not concurrently, for each signal whose default must not affect it.
//
// A process that reaps every child does so by [Hooks.Reap]. If Reap cannot work at once, Hooks
// calls retryReap later, from any goroutine. Other processes pass nil, and must not call wait4(-1).
func NewHooks(retryReap func()) (*Hooks, error) {
	CloseOnExec()
	if err := unignoreSignals(); err != nil {
		return nil, err
	}
	return &Hooks{retryReap: retryReap, running: map[int]chan unix.WaitStatus{}}, nil
}

const (
	maxOutput    = 512                   // bytes of a hook's output that are kept for the log
	killTime     = 5 * time.Second       // to end after SIGKILL; only the kernel can delay that
	pollInterval = 20 * time.Millisecond // without a pidfd
)

// Run runs a hook until it ends. After timeout, the hook and all processes in its process group get
// SIGKILL. Processes that a hook leaves behind when it ends in time go on, but nobody reads their
// output.
//
// argv[0] must be an absolute path. Run refuses a program that fails [CheckHook].
//
// The error is nil if the hook ends in time with status 0. Otherwise it is a single line: the
// program, how it ended or why it could not start, and the first line of its output. Any number of
// goroutines may call Run.
func (h *Hooks) Run(argv, environ []string, timeout time.Duration) error {
	path, args, err := program(argv)
	if err != nil {
		return err
	}
	if err := CheckHook(path); err != nil {
		return err
	}
	c, err := h.start(path, args, environ)
	if err != nil {
		return err
	}
	defer c.close()
	how := ""
	status, ended := c.wait(timeout)
	switch {
	case !ended:
		h.kill(c)
		how = "killed after " + timeout.String() + ", with all that it had started"
		if _, ended = c.wait(killTime); !ended {
			h.forget(c)
			how += ", and still running"
		}
	case status.Signaled():
		how = "signal " + strconv.Itoa(int(status.Signal()))
	case status.ExitStatus() != 0:
		how = "exit status " + strconv.Itoa(status.ExitStatus())
	default:
		return nil
	}
	if line := firstLine(c.output); line != "" {
		how += ": " + line
	}
	return errors.New(path + ": " + how)
}

// Reap reaps every child that has ended, without waiting, and calls other for each that is not a
// hook. other must not call methods of Hooks. While a hook is being started, Reap does nothing, and
// Hooks calls retryReap afterwards.
func (h *Hooks) Reap(other func(pid int, status unix.WaitStatus)) {
	if !h.mu.TryLock() {
		h.mustReap.Store(true)
		if !h.mu.TryLock() { // mu may have been unlocked before the Store
			return
		}
	}
	defer h.unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || pid <= 0:
			h.mustReap.Store(false)
			return
		case h.running[pid] != nil:
			h.running[pid] <- status
			delete(h.running, pid)
		default:
			other(pid, status)
		}
	}
}

// unlock unlocks mu, and catches up on a Reap that came meanwhile.
func (h *Hooks) unlock() {
	h.mu.Unlock()
	if h.mustReap.Swap(false) {
		h.retryReap()
	}
}

// Fork calls start, which starts another child, while no hook is being started. Go's runtime loses
// a processor during a fork, so their number at one time must be limited for other goroutines to go
// on.
func (h *Hooks) Fork(start func()) {
	h.forks.Lock()
	defer h.forks.Unlock()
	start()
}

func (h *Hooks) start(path string, args, environ []string) (*child, error) {
	null, err := openDevNull(unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(null)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[1])
	c := &child{fd: -1, out: pipe[0]}
	if err = unix.SetNonblock(c.out, true); err == nil { // only our end
		h.Fork(func() { err = h.fork(c, path, args, environ, null, pipe[1]) })
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (h *Hooks) fork(c *child, path string, args, environ []string, null, out int) error {
	// The child gets the mask of the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mask, err := emptyMask()
	if err != nil {
		return err
	}
	defer restoreMask(mask)
	h.mu.Lock()
	defer h.unlock()
	c.pid, err = syscall.ForkExec(path, args, &syscall.ProcAttr{
		Dir: "/", Env: environ, Files: []uintptr{uintptr(null), uintptr(out), uintptr(out)},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &c.fd},
	})
	if err != nil {
		return &os.PathError{Op: "exec", Path: path, Err: explain(path, err)}
	}
	if h.retryReap != nil {
		c.ended = make(chan unix.WaitStatus, 1)
		h.running[c.pid] = c.ended
	}
	return nil
}

// kill kills the hook's process group. Its number cannot be reused before the hook is reaped.
func (h *Hooks) kill(c *child) {
	h.mu.Lock()
	defer h.unlock()
	if h.retryReap == nil || h.running[c.pid] == c.ended {
		_ = unix.Kill(-c.pid, unix.SIGKILL)
	}
}

// forget leaves a hook to a later Reap, as a child that is not a hook.
func (h *Hooks) forget(c *child) {
	h.mu.Lock()
	defer h.unlock()
	if h.running[c.pid] == c.ended {
		delete(h.running, c.pid)
	}
}

// child is a running hook.
type child struct {
	pid    int
	fd     int                  // a pidfd, or -1 before Linux 5.4
	out    int                  // our end of the pipe
	ended  chan unix.WaitStatus // from Reap; nil if only Run reaps
	output []byte
}

func (c *child) close() {
	unix.Close(c.out)
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
}

// wait reads the output of the hook until it ends or timeout is over.
func (c *child) wait(timeout time.Duration) (status unix.WaitStatus, ended bool) {
	deadline := time.Now().Add(timeout)
	fds := []unix.PollFd{
		{Fd: int32(c.out), Events: unix.POLLIN},
		{Fd: int32(c.fd), Events: unix.POLLIN},
	}
	for {
		left := max(0, time.Until(deadline))
		pause := left
		if c.fd < 0 {
			pause = min(left, pollInterval)
		}
		// EINTR only means an earlier look.
		n, _ := unix.Poll(fds, int((pause+time.Millisecond-1)/time.Millisecond))
		if n > 0 && fds[0].Revents != 0 && !c.read() {
			fds[0].Fd = -1
		}
		if n > 0 && fds[1].Revents != 0 {
			c.read()
			return c.status(killTime) // at once, or as soon as it is reaped
		}
		if status, ended := c.status(0); ended {
			c.read()
			return status, true
		}
		if left == 0 {
			return 0, false
		}
	}
}

// status is the exit status of the hook. It waits only for another goroutine to reap it.
func (c *child) status(timeout time.Duration) (status unix.WaitStatus, ended bool) {
	if c.ended == nil {
		for {
			pid, err := unix.Wait4(c.pid, &status, unix.WNOHANG, nil)
			if err != unix.EINTR {
				return status, pid == c.pid
			}
		}
	}
	select {
	case status = <-c.ended:
		return status, true
	default:
	}
	select {
	case status = <-c.ended:
		return status, true
	case <-time.After(timeout):
		return 0, false
	}
}

// read reads the output of the hook and keeps its beginning. It reports whether more can follow.
func (c *child) read() bool {
	var b [4096]byte
	for range 16 { // then back to the clock: the output may be endless
		n, err := unix.Read(c.out, b[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err == unix.EAGAIN
		}
		c.output = append(c.output, b[:min(n, maxOutput-len(c.output))]...)
	}
	return true
}

// firstLine is the first line that is not blank.
func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(line))
}
