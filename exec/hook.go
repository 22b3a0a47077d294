package exec

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Hooks runs hooks: programs of the administrator's that are told of something and have no client.
// A process has one Hooks, made by [NewHooks].
//
// A hook is called by the base name of its path. Of ours it inherits the user, the umask and the
// RLIMIT_NOFILE that we were started with, and nothing else: fd 0 is /dev/null, fds 1 and 2 lead to
// us, no other is open; the environment is the one given, the working directory is /, session and
// process group are its own, every signal has its default and none is blocked.
type Hooks struct {
	later func()     // what was put off can be reaped now; nil: nobody reaps but Run
	forks sync.Mutex // one at a time: see Fork

	mu     sync.Mutex // held while a hook is started, so that nobody reaps a child whose pid is not yet known
	ended  map[int]chan unix.WaitStatus
	putOff atomic.Bool // Reap, because of mu
}

// NewHooks prepares a process for hooks. Whatever its parent had it ignore is set to the default,
// in the process itself, as a child inherits it from there: call signal.Notify before, and not at
// the same moment, for each signal that must not do what is its default.
//
// A process that reaps whatever there is to reap does so by [Hooks.Reap], and is called back by
// later, from any goroutine, when that had to be put off. All others pass nil, and leave wait4(-1)
// alone.
func NewHooks(later func()) (*Hooks, error) {
	CloseOnExec()
	if err := hearIgnored(); err != nil {
		return nil, err
	}
	return &Hooks{later: later, ended: map[int]chan unix.WaitStatus{}}, nil
}

const (
	saidBytes = 512                   // of what a hook says are kept, for the log
	deathTime = 5 * time.Second       // to be gone after SIGKILL; only the kernel can hold it up
	lookEvery = 20 * time.Millisecond // where there is no pidfd to wait for
)

// Run runs a hook until it ends, for so long at most. Then it gets SIGKILL, and with it all that it
// has started and that has not left its process group. What a hook that ends in time has left
// running stays, but nobody listens to it any more.
//
// argv[0] must be an absolute path. Run refuses a program that fails [CheckHook].
//
// A nil error says that the hook has ended in time and with status 0. Any other is a single line:
// the program, how it ended or why it could not be started, and the first line of what it said. Any
// number of goroutines may call Run.
func (h *Hooks) Run(argv, environ []string, atMost time.Duration) error {
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
	status, ended := c.wait(atMost)
	switch {
	case !ended:
		h.kill(c)
		how = fmt.Sprintf("killed after %v, with all that it had started", atMost)
		if _, ended = c.wait(deathTime); !ended {
			h.forget(c)
			how += ", and still there"
		}
	case status.Signaled():
		how = fmt.Sprintf("signal %d", status.Signal())
	case status.ExitStatus() != 0:
		how = fmt.Sprintf("exit status %d", status.ExitStatus())
	default:
		return nil
	}
	if line := firstLine(c.said); line != "" {
		how += ": " + line
	}
	return fmt.Errorf("%s: %s", path, how)
}

// Reap reaps every child that has ended, without waiting for one, and calls other for each that is
// no hook. It may not call Hooks in turn. While a hook is being started Reap does nothing, and
// later is called afterwards.
func (h *Hooks) Reap(other func(pid int, status unix.WaitStatus)) {
	if !h.mu.TryLock() {
		h.putOff.Store(true)
		if !h.mu.TryLock() { // for whoever unlocked before the Store
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
			h.putOff.Store(false)
			return
		case h.ended[pid] != nil:
			h.ended[pid] <- status
			delete(h.ended, pid)
		default:
			other(pid, status)
		}
	}
}

// unlock ends what mu was taken for, and has done what was put off because of that.
func (h *Hooks) unlock() {
	h.mu.Unlock()
	if h.putOff.Swap(false) {
		h.later()
	}
}

// Fork runs what starts another child, and lets no hook be started meanwhile: Go's runtime loses a
// processor to each fork, and who must go on beside them must know how many there can be.
func (h *Hooks) Fork(start func()) {
	h.forks.Lock()
	defer h.forks.Unlock()
	start()
}

// start starts a hook.
func (h *Hooks) start(path string, args, environ []string) (*child, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[1])
	c := &child{fd: -1, out: pipe[0]}
	if err = unix.SetNonblock(c.out, true); err == nil { // our end alone
		h.Fork(func() { err = h.fork(c, path, args, environ, null, pipe[1]) })
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (h *Hooks) fork(c *child, path string, args, environ []string, null, out int) error {
	// The mask is the thread's own, and the child's is that of the thread that forks.
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
	if h.later != nil {
		c.ended = make(chan unix.WaitStatus, 1)
		h.ended[c.pid] = c.ended
	}
	return nil
}

// kill kills the hook's process group, which has its number for as long as it is not reaped.
func (h *Hooks) kill(c *child) {
	h.mu.Lock()
	defer h.unlock()
	if h.later == nil || h.ended[c.pid] == c.ended {
		_ = unix.Kill(-c.pid, unix.SIGKILL)
	}
}

// forget leaves a hook to whoever reaps it one day.
func (h *Hooks) forget(c *child) {
	h.mu.Lock()
	defer h.unlock()
	if h.ended[c.pid] == c.ended {
		delete(h.ended, c.pid)
	}
}

// child is a hook that runs.
type child struct {
	pid   int
	fd    int                  // a pidfd (Linux 5.4), else -1
	out   int                  // where we hear what it says
	ended chan unix.WaitStatus // nil where nobody else reaps it
	said  []byte
}

func (c *child) close() {
	unix.Close(c.out)
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
}

// wait waits for the hook's end, for so long at most, and listens to it meanwhile.
func (c *child) wait(atMost time.Duration) (status unix.WaitStatus, ended bool) {
	deadline := time.Now().Add(atMost)
	fds := []unix.PollFd{{Fd: int32(c.out), Events: unix.POLLIN}, {Fd: int32(c.fd), Events: unix.POLLIN}}
	for {
		left := max(0, time.Until(deadline))
		pause := left
		if c.fd < 0 {
			pause = min(left, lookEvery)
		}
		n, _ := unix.Poll(fds, int((pause+time.Millisecond-1)/time.Millisecond)) // EINTR is only an earlier look
		if n > 0 && fds[0].Revents != 0 && !c.listen() {
			fds[0].Fd = -1
		}
		if n > 0 && fds[1].Revents != 0 {
			c.listen()
			return c.status(deathTime) // at once, or as soon as it is reaped
		}
		if status, ended := c.status(0); ended {
			c.listen()
			return status, true
		}
		if left == 0 {
			return 0, false
		}
	}
}

// status is how the hook has ended, if it has, or if another reaps it within so long.
func (c *child) status(atMost time.Duration) (status unix.WaitStatus, ended bool) {
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
	case <-time.After(atMost):
		return 0, false
	}
}

// listen takes what the hook has said, and keeps its beginning. It reports whether there may be
// more.
func (c *child) listen() bool {
	var b [4096]byte
	for range 16 { // one that never stops must not keep us from the clock
		n, err := unix.Read(c.out, b[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err == unix.EAGAIN
		}
		c.said = append(c.said, b[:min(n, saidBytes-len(c.said))]...)
	}
	return true
}

// firstLine is the first line that is not blank.
func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(line))
}
