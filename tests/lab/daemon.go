package lab

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Daemon is a program that runs until it is stopped.
type Daemon struct {
	*exec.Cmd
	Gone chan struct{} // closed when it has ended, and ProcessState is set

	mu     sync.Mutex
	reaped bool // its pid, and the number of its group, may be another's
}

// starters are the ids of the threads that have started daemons; when such a thread ends, the
// kernel ends its daemons. So none of them may become a Thread, which ends before the process does.
var starters sync.Map

// Start starts cmd, with its output appended to a file (mode 0600; "" leaves the output as it is).
// The program leads a process group of its own, since some send signals to their whole group; it
// ends with the thread that calls Start.
func Start(cmd *exec.Cmd, output string) (*Daemon, error) {
	if output != "" {
		out, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread()
	starters.Store(unix.Gettid(), true)
	err := cmd.Start()
	runtime.UnlockOSThread()
	if err != nil {
		return nil, err
	}
	d := &Daemon{Cmd: cmd, Gone: make(chan struct{})}
	go d.reap()
	return d, nil
}

// reap waits for the program. Until that has been waited for, no other process has its pid: so
// KillAll, which needs the number of the group, may signal until then and not later.
func (d *Daemon) reap() {
	for unix.Waitid(unix.P_PID, d.PID(), nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	d.mu.Lock()
	d.reaped = true
	d.mu.Unlock()
	_ = d.Wait() // the status is in ProcessState, and mostly says how we ended it
	close(d.Gone)
}

// PID is the pid of the program itself.
func (d *Daemon) PID() int { return d.Process.Pid }

// Ended reports whether the program has ended.
func (d *Daemon) Ended() bool {
	select {
	case <-d.Gone:
		return true
	default:
		return false
	}
}

// Ends waits until the program ends by itself, and reports whether it did within Patience.
func (d *Daemon) Ends() bool {
	select {
	case <-d.Gone:
		return true
	case <-time.After(Patience):
		return false
	}
}

// Stop ends the program with SIGTERM, and with SIGKILL if it does not end within Patience. It
// returns when the program has ended. Processes that it has started may live on.
func (d *Daemon) Stop() {
	_ = d.Process.Signal(unix.SIGTERM)
	_ = d.Process.Signal(unix.SIGCONT) // it may be stopped
	if !d.Ends() {
		d.KillAll()
	}
}

// KillAll ends the program and its process group at once. It does nothing about a program that has
// ended.
func (d *Daemon) KillAll() {
	d.mu.Lock()
	if !d.reaped {
		_ = unix.Kill(-d.PID(), unix.SIGKILL)
	}
	d.mu.Unlock()
	<-d.Gone
}
